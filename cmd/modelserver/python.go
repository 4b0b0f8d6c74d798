// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/python"
	"github.com/serin-dev/serin/internal/model/server"
)

// environmentsVariable is the folder of virtual environments. `serin up` sets it.
const environmentsVariable = "SERIN_PYTHON_ENVIRONMENTS"

// options are what the flags say beside the server's configuration.
type options struct {
	python  string   // runs the model, unless it is empty
	workers int      // of Python
	idle    []string // flags that have no effect
	passed  []string // flags for a model that is a server itself
}

// load returns how a model is loaded by the user's Python.
func (o options) load(cfg server.Config) func(context.Context, server.Loading) (frame.Model, error) {
	return func(ctx context.Context, l server.Loading) (frame.Model, error) {
		return python.Load(ctx, python.Config{
			Program:      o.python,
			Dir:          cfg.ModelDir,
			Environments: os.Getenv(environmentsVariable),
			Workers:      o.workers,
			Flags:        o.passed,
			Progress:     l.Progress,
			Fail:         l.Fail,
			Log:          cfg.Log,
		})
	}
}
