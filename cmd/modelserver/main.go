// SPDX-License-Identifier: Apache-2.0

// Command serin-modelserver serves one model in KServe's protocols: V1 and V2 over HTTP, and V2 over gRPC.
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
)

const usage = `Usage: serin-modelserver --model_dir DIR [flags]

Serves the one model in DIR: of scikit-learn (.joblib, .pkl, .pickle, .skops), XGBoost (.json, .ubj,
.bst, .model) or LightGBM (.txt, .bst).

  --model_name NAME        the model's name in URLs (default "model")
  --model_dir DIR          the folder that holds the model
  --http_port PORT         the port to listen on (default 8080)
  --grpc_port PORT         the port for gRPC (default 8081)
  --enable_grpc BOOL       open that port (default true)
  --enable_docs_url BOOL   serve a page to try the model at /docs (default false)
  --max_request_bytes N    the largest request, and the largest answer (default 1073741824)
  --python PROGRAM         run the model in this Python, which executes what its files say
  --workers N              how many processes of that Python (default 1)

Other flags of KServe's server are accepted and have no effect.
If POD_IP is set, it listens on that address only. With PREDICT_PROBA=true it answers with probabilities.
CE_SOURCE, CE_TYPE and CE_MERGE change answers that are CloudEvents, as in KServe.
If K_REVISION is set, that is the model's version in V2.
If SERIN_PYTHON_ENVIRONMENTS is set, virtual environments for models are made in that folder.
If GOMEMLIMIT is set, as the runtime does from limits.memory, it refuses a model that needs more memory. What is
left is for the requests, together.
`

// memoryShare is the part of GOMEMLIMIT for Go's memory. The program's own pages
// and the kernel's memory for it count towards the container too.
const memoryShare = 0.9

func main() { os.Exit(run()) }

func run() int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	cfg, o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(usage)
		return 0
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "serin-modelserver: %v\n", err) // one line, which the service's status shows
		return 2
	}
	for _, name := range o.idle {
		log.Warn("this flag of KServe's server has no effect here", "flag", name)
	}
	cfg.Log = log
	cfg.Host = os.Getenv("POD_IP")
	cfg.Revision = os.Getenv("K_REVISION") // Knative's name for it
	cfg.Proba = strings.EqualFold(os.Getenv("PREDICT_PROBA"), "true")
	cfg.Events = server.Events{Source: os.Getenv("CE_SOURCE"), Type: os.Getenv("CE_TYPE"), Merge: strings.EqualFold(os.Getenv("CE_MERGE"), "true")}

	if o.python != "" {
		cfg.Load = o.load(cfg)
	}
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
