// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/format"
	"github.com/serin-dev/serin/internal/model/frame"
)

// loadModel loads the one model file of a folder. Its errors are shown in the
// status of the service, so they are sentences for the owner of the model.
func loadModel(ctx context.Context, dir string) (frame.Model, error) {
	file, err := modelFile(dir)
	if err != nil {
		return nil, err
	}
	limits, advice := budget.DefaultLimits, "set"
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		limits.Memory, advice = limit/4*3, "raise"
	}
	limits.Stop = ctx.Err
	name := printable(filepath.Base(file))
	// The model is live memory: with the default GC percent, garbage would double the
	// peak. What is read is mostly numbers, which cost the collector nothing.
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	model, err := readModel(file, limits)
	switch {
	case errors.Is(err, context.Canceled):
		return nil, fmt.Errorf("load %s: stopped before the model was loaded", name)
	case errors.Is(err, budget.ErrMemory):
		return nil, fmt.Errorf("load %s: %w: %s limits.memory of its container", name, err, advice)
	case err != nil:
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	return model, nil
}

func readModel(file string, limits budget.Limits) (frame.Model, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	case info.Size() > limits.Memory:
		return nil, fmt.Errorf("%w than the %d bytes that loading may take here", budget.ErrMemory, limits.Memory)
	}
	return format.Load(info.Name(), f, info.Size(), limits)
}

func modelFile(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("read the model folder: %w", err)
	}
	var models, others []string
	rank := 1 // of models
	for _, e := range entries {
		switch r := format.Rank(e.Name()); {
		case e.IsDir():
			others = append(others, e.Name()+"/")
		case r < rank:
			others = append(others, e.Name())
		case r > rank: // those so far lie beside the model: requirements.txt
			models, others, rank = []string{e.Name()}, append(others, models...), r
		default:
			models = append(models, e.Name())
		}
	}
	switch {
	case len(models) == 1:
		return filepath.Join(dir, models[0]), nil
	case len(models) > 1:
		return "", fmt.Errorf("%d model files in the model folder, want one: %s", len(models), some(models))
	case len(others) > 0:
		return "", fmt.Errorf("no model file in the model folder: want one whose name ends in %s, found %s", strings.Join(format.Suffixes(), ", "), some(others))
	}
	return "", fmt.Errorf("no model file in the model folder: want one whose name ends in %s, but the folder is empty", strings.Join(format.Suffixes(), ", "))
}

// some names the first files of a folder.
func some(files []string) string {
	const most = 5 // to name in a status
	var names []string
	for _, name := range files[:min(most, len(files))] {
		names = append(names, printable(name))
	}
	if len(files) > most {
		names = append(names, "...")
	}
	return strings.Join(names, ", ")
}

// printable quotes a name that could do harm in a terminal or a log.
func printable(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}
