// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-dev/serin/internal/model/format/sklearn"
)

// suffixes are those of KServe's server for model files.
var suffixes = []string{".joblib", ".pkl", ".pickle"}

// loadModel loads the one model file of a folder. Its errors are shown in the
// status of the service, so they are sentences for the owner of the model.
func loadModel(ctx context.Context, dir string) (*sklearn.Model, error) {
	file, err := modelFile(dir)
	if err != nil {
		return nil, err
	}
	limits := sklearn.DefaultLimits
	limits.Memory = min(limits.Memory, debug.SetMemoryLimit(-1)/4*3)
	limits.Stop = ctx.Err
	name := printable(filepath.Base(file))
	advice := ""
	if limits.Memory < sklearn.DefaultLimits.Memory {
		advice = ": raise limits.memory of its container"
	}
	data, err := readModel(file, limits.Memory)
	if errors.Is(err, sklearn.ErrMemory) {
		return nil, fmt.Errorf("load %s: %w%s", name, err, advice)
	}
	if err != nil {
		return nil, err
	}
	// The model is live memory: with the default GC percent, garbage would double the peak.
	defer debug.SetGCPercent(debug.SetGCPercent(25))
	model, err := sklearn.Load(data, limits)
	switch {
	case errors.Is(err, context.Canceled):
		return nil, fmt.Errorf("load %s: stopped before the model was loaded", name)
	case errors.Is(err, sklearn.ErrMemory):
		return nil, fmt.Errorf("load %s: %w%s", name, err, advice)
	case err != nil:
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	return model, nil
}

// readModel reads a file that holds no more than most bytes.
func readModel(file string, most int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the model: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the model: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("load %s: it is not a regular file", printable(info.Name()))
	}
	if info.Size() > most {
		return nil, fmt.Errorf("%w than the %d bytes that loading may take here", sklearn.ErrMemory, most)
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("read the model: %w", err)
	}
	return data, nil
}

func modelFile(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("read the model folder: %w", err)
	}
	var models, others []string
	for _, e := range entries {
		switch {
		case e.IsDir():
			others = append(others, e.Name()+"/")
		case slices.Contains(suffixes, filepath.Ext(e.Name())):
			models = append(models, e.Name())
		default:
			others = append(others, e.Name())
		}
	}
	switch {
	case len(models) == 1:
		return filepath.Join(dir, models[0]), nil
	case len(models) > 1:
		return "", fmt.Errorf("%d model files in the model folder, want one: %s", len(models), some(models))
	case len(others) > 0:
		return "", fmt.Errorf("no model file in the model folder: want one whose name ends in %s, found %s", strings.Join(suffixes, ", "), some(others))
	}
	return "", fmt.Errorf("no model file in the model folder: want one whose name ends in %s, but the folder is empty", strings.Join(suffixes, ", "))
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
