// SPDX-License-Identifier: Apache-2.0

// Command serin-modelserver serves one scikit-learn model over HTTP, in KServe's V1 protocol.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/serin-dev/serin/internal/model/server"
	"github.com/serin-dev/serin/internal/setting"
)

const usage = `Usage: serin-modelserver --model_dir DIR [flags]

Serves the one .joblib, .pkl or .pickle file in DIR: scikit-learn's DecisionTreeClassifier,
LogisticRegression, RandomForestClassifier and SVC, and pipelines of them with StandardScaler.

  --model_name NAME        the model's name in URLs (default "model")
  --model_dir DIR          the folder that holds the model
  --http_port PORT         the port to listen on (default 8080)
  --enable_docs_url BOOL   serve a page about the API at /docs (default false)

Other flags of KServe's servers are ignored with a warning.
If POD_IP is set, it listens on that address only. With PREDICT_PROBA=true it answers with probabilities.
If GOMEMLIMIT is set, as the runtime does from limits.memory, it refuses a model that needs more memory.
`

// memoryShare is the part of GOMEMLIMIT for Go's memory. The program's own pages
// and the kernel's memory for it count towards the container too.
const memoryShare = 0.9

func main() { os.Exit(run()) }

func run() int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	cfg, ignored, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(usage)
		return 0
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s\nserin-modelserver: %v\n", usage, err)
		return 2
	}
	for _, arg := range ignored {
		log.Warn("ignoring an unknown argument", "argument", arg)
	}
	cfg.Log = log
	cfg.Host = os.Getenv("POD_IP")
	cfg.Proba = strings.EqualFold(os.Getenv("PREDICT_PROBA"), "true")

	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		debug.SetMemoryLimit(int64(memoryShare * float64(limit)))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := server.Run(ctx, cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		if ctx.Err() != nil {
			return 128 + int(syscall.SIGTERM)
		}
		return 1
	}
	return 0
}

// parse parses flags as Python's argparse does: --name value or --name=value. It
// returns unknown arguments.
func parse(args []string) (cfg server.Config, ignored []string, err error) {
	cfg.ModelName = "model"
	known := map[string]func(string) error{
		"--model_name":      func(s string) error { cfg.ModelName = s; return nil },
		"--model_dir":       func(s string) error { cfg.ModelDir = s; return nil },
		"--http_port":       setting.FreePort(&cfg.Port, 8080).Set,
		"--enable_docs_url": func(s string) (err error) { cfg.Docs, err = boolean(s); return err },
	}
	for len(args) > 0 {
		name, value, joined := strings.Cut(args[0], "=")
		set := known[name]
		switch {
		case name == "--help" || name == "-h":
			return cfg, nil, flag.ErrHelp
		case set == nil:
			ignored = append(ignored, args[0])
			args = args[1:]
			continue
		case !joined && len(args) == 1:
			return cfg, nil, fmt.Errorf("%s needs a value", name)
		case !joined:
			value = args[1]
			args = args[1:]
		}
		if err := set(value); err != nil {
			return cfg, nil, fmt.Errorf("%s %s: %w", name, value, err)
		}
		args = args[1:]
	}
	switch {
	case cfg.ModelDir == "":
		return cfg, nil, errors.New("--model_dir is required")
	case cfg.ModelName == "":
		return cfg, nil, errors.New("--model_name is empty")
	}
	return cfg, ignored, nil
}

// boolean parses the values that KServe's servers accept.
func boolean(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "y", "yes", "t", "true", "on", "1":
		return true, nil
	case "n", "no", "f", "false", "off", "0":
		return false, nil
	}
	return false, errors.New("must be true or false")
}
