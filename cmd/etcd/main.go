// SPDX-License-Identifier: Apache-2.0

// Command etcd becomes serin-etcd, which `serin up` runs: the store of its
// Kubernetes, where a full disk may end it alone.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/serin-dev/serin/internal/local/etcd"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(40) // as in serin up: it saves memory for little time
	}
	c := etcd.Config{Log: logger(), Ready: func() { fmt.Println("ready") }}
	flag.StringVar(&c.Dir, "dir", "", "folder of the data and its copy")
	flag.StringVar(&c.Socket, "socket", "", "unix socket to listen on")
	flag.BoolVar(&c.Restore, "restore", false, "begin with the copy")
	flag.BoolVar(&c.NoSync, "no-sync", false, "skip fsync, for tests")
	flag.Parse()
	if err := etcd.Run(ctx, c); err != nil {
		fmt.Fprintf(os.Stderr, "serin-etcd: %v\n", err)
		os.Exit(1)
	}
}

// logger writes a line of JSON for each warning and error. serin parses them for
// the reason of an exit.
func logger() *zap.Logger {
	e := zap.NewProductionEncoderConfig()
	e.TimeKey, e.CallerKey, e.StacktraceKey = "", "", ""
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(e), zapcore.Lock(os.Stderr), zapcore.WarnLevel))
}
