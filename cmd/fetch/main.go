// SPDX-License-Identifier: Apache-2.0

// Command serin-fetch puts stored models into folders. It is the init container storage-initializer.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	_ "golang.org/x/crypto/x509roots/fallback" // its image has no other roots

	"github.com/serin-dev/serin/internal/model/storage"
)

const usage = `Usage: serin-fetch [flags] SOURCE FOLDER [SOURCE FOLDER ...]

Copies the model at each SOURCE into the FOLDER after it, completely or not at all. A SOURCE is
gs://bucket/path, s3://bucket/path, https://host/file, http://host/file, file:///path or an absolute path.

  --cache-dir DIR   keep downloads in DIR, and reuse unchanged ones
  --max-size SIZE   refuse a larger model, as stored or as unpacked: 500Mi, 2Gi, 1Ti
                    (default 100Gi, or the variable FETCH_MAX_SIZE)

Variables: SERIN_MODEL_DIGEST, if it is not empty, is the digest that the model must have. SERIN_REVISION and
SERIN_SERVICE name what it is for. With SERIN_REVISION, each FOLDER is for its model alone: all other files in it are
removed. The model is taken from the cache if it was fetched for SERIN_NAMESPACE. The file SERIN_TERMINATION_LOG
(default /dev/termination-log), if there is one, gets the digest of the model.
`

// exitOtherModel is the exit code if the model does not have the digest that it must have.
const exitOtherModel = 3

func main() { os.Exit(run()) }

func run() int {
	cfg, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(usage)
		return 0
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s\nserin-fetch: %v\n", usage, err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	digests, err := storage.Run(ctx, cfg)
	if err == nil {
		report(digests)
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	switch {
	case ctx.Err() != nil:
		return 128 + int(syscall.SIGTERM)
	case errors.Is(err, storage.ErrOtherModel):
		return exitOtherModel
	}
	return 1
}

// report writes the digests of the models into the file for the termination message, if this is a
// container. A model that is in place needs no report.
func report(digests []string) {
	f, err := os.OpenFile(cmp.Or(os.Getenv("SERIN_TERMINATION_LOG"), "/dev/termination-log"), os.O_WRONLY|os.O_TRUNC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		_, err = f.WriteString(strings.Join(digests, "\n"))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the digest of the model is not reported:", err)
	}
}

func parse(args []string) (storage.Config, error) {
	cfg := storage.Config{Log: os.Stderr}
	flags := flag.NewFlagSet("serin-fetch", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run prints it once, at the end
	flags.StringVar(&cfg.CacheDir, "cache-dir", "", "")
	most := flags.String("max-size", os.Getenv("FETCH_MAX_SIZE"), "")
	if err := flags.Parse(args); err != nil {
		return cfg, err
	}
	if *most != "" {
		var err error
		if cfg.MaxSize, err = parseSize(*most); err != nil {
			return cfg, err
		}
	}
	if flags.NArg() == 0 || flags.NArg()%2 != 0 {
		return cfg, errors.New("needs a source and a folder, or several such pairs")
	}
	for i := 0; i < flags.NArg(); i += 2 {
		cfg.Models = append(cfg.Models, storage.Model{Source: flags.Arg(i), Dest: flags.Arg(i + 1)})
	}
	cfg.Scope = os.Getenv("SERIN_NAMESPACE")
	cfg.Whole = os.Getenv("SERIN_REVISION") != "" // a Pod's volume for the model
	cfg.Want = storage.Want{Digest: os.Getenv("SERIN_MODEL_DIGEST"), Revision: os.Getenv("SERIN_REVISION"), Service: os.Getenv("SERIN_SERVICE")}
	switch d := cfg.Want.Digest; {
	case d != "" && !storage.ValidDigest(d):
		return cfg, fmt.Errorf(`SERIN_MODEL_DIGEST %.100q: must be "sha256:" and 64 hexadecimal digits`, d)
	case d != "" && len(cfg.Models) > 1:
		return cfg, errors.New("SERIN_MODEL_DIGEST is the digest of one model: name one source and one folder")
	}
	return cfg, nil
}

// units are Kubernetes' own.
var units = map[string]int64{
	"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
	"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40,
}

func parseSize(s string) (int64, error) {
	number := strings.TrimRight(s, "kKMGTi")
	n, err := strconv.ParseInt(number, 10, 64)
	unit, ok := units[s[len(number):]]
	if err != nil || !ok || n <= 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("--max-size %q: must be a size such as 500Mi or 2Gi", s)
	}
	return n * unit, nil
}
