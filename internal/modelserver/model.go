// SPDX-License-Identifier: Apache-2.0

package modelserver

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/serin-dev/serin/internal/sklearn"
)

// suffixes are the names that KServe's server takes for models.
var suffixes = []string{".joblib", ".pkl", ".pickle"}

// loadModel loads the one model file of a folder. Its errors end up in the
// status of the service: they are sentences for the person who uploaded it.
func loadModel(dir string) (*sklearn.Model, error) {
	file, err := modelFile(dir)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("read the model: %w", err)
	}
	limits := sklearn.DefaultLimits
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("load %s: it is not a regular file", info.Name())
	}
	if info.Size() > int64(limits.Bytes) {
		return nil, fmt.Errorf("load %s: the file holds more than %d bytes", info.Name(), limits.Bytes)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the model: %w", err)
	}
	model, err := sklearn.Load(data, limits)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", info.Name(), err)
	}
	return model, nil
}

func modelFile(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("read the model folder: %w", err)
	}
	var models []string
	for _, e := range entries {
		if !e.IsDir() && slices.Contains(suffixes, filepath.Ext(e.Name())) {
			models = append(models, e.Name())
		}
	}
	switch len(models) {
	case 0:
		return "", fmt.Errorf("no model file in the model folder: want one whose name ends in %s", strings.Join(suffixes, ", "))
	case 1:
		return filepath.Join(dir, models[0]), nil
	}
	return "", fmt.Errorf("%d model files in the model folder, want one: %s", len(models), strings.Join(models, ", "))
}
