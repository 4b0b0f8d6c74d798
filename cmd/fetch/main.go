// SPDX-License-Identifier: Apache-2.0

// Command serin-fetch puts stored models into folders. It is the init container storage-initializer.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	_ "golang.org/x/crypto/x509roots/fallback" // its image has no other roots

	"github.com/serin-dev/serin/internal/fetch"
)

const usage = `Usage: serin-fetch [--cache-dir DIR] SOURCE FOLDER [SOURCE FOLDER ...]

Puts what is stored at each SOURCE into the FOLDER after it, whole or not at all. A SOURCE is
gs://bucket/path, s3://bucket/path, https://host/file, http://host/file, file:///path or an absolute path.

  --cache-dir DIR   keep downloads in DIR, and take what is unchanged from there
`

func main() { os.Exit(run()) }

func run() int {
	cfg, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(usage)
		return 0
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s\nserin-fetch: %v\n", usage, err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	err = fetch.Run(ctx, cfg)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	if ctx.Err() != nil {
		return 128 + int(syscall.SIGTERM)
	}
	return 1
}

func parse(args []string) (fetch.Config, error) {
	cfg := fetch.Config{Log: os.Stderr}
	flags := flag.NewFlagSet("serin-fetch", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run says it once, and last
	flags.StringVar(&cfg.CacheDir, "cache-dir", "", "")
	if err := flags.Parse(args); err != nil {
		return cfg, err
	}
	if flags.NArg() == 0 || flags.NArg()%2 != 0 {
		return cfg, errors.New("needs a source and a folder, or several such pairs")
	}
	for i := 0; i < flags.NArg(); i += 2 {
		cfg.Models = append(cfg.Models, fetch.Model{Source: flags.Arg(i), Dest: flags.Arg(i + 1)})
	}
	return cfg, nil
}
