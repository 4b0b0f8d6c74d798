// SPDX-License-Identifier: Apache-2.0

package python

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The kinds of models, as worker.py knows them.
const (
	pickled   = "pickle"
	skops     = "skops"
	mlflow    = "mlflow"
	module    = "module"
	ownServer = "kserve"
)

// suffixes are those of files that one object lies in.
var suffixes = []string{".joblib", ".pkl", ".pickle", ".cloudpickle", ".skops"}

// folder is what lies in a model's folder.
type folder struct {
	kind         string
	file         string
	requirements string // the content of requirements.txt; empty if there is none
	wheels       bool   // a folder with the packages lies beside the model
	python       string // the version that MLflow notes, such as 3.11
	wantsDir     bool   // model.py has a flag --model_dir
}

var (
	importsKServe = regexp.MustCompile(`(?m)^\s*(import|from)\s+kserve\b`)
	mlflowPython  = regexp.MustCompile(`(?m)^\s*python:\s*["']?(\d+\.\d+)`)
)

// look finds the model of a folder, and what Python needs for it.
func look(dir string) (folder, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return folder{}, fmt.Errorf("read the model folder: %w", err)
	}
	var f folder
	var files, others []string
	for _, e := range entries {
		switch {
		case slices.Contains(suffixes, filepath.Ext(e.Name())) && !e.IsDir():
			files = append(files, e.Name())
		default:
			others = append(others, e.Name())
		}
	}
	switch {
	case slices.Contains(others, "MLmodel"):
		f.kind, f.file = mlflow, "MLmodel"
	case slices.Contains(others, "model.py"):
		f.kind, f.file = module, "model.py"
	case len(files) == 1:
		f.kind, f.file = pickled, files[0]
		if filepath.Ext(f.file) == ".skops" {
			f.kind = skops
		}
	case len(files) > 1:
		return f, fmt.Errorf("%d model files in the model folder, want one: %q. Or add a model.py with load(folder)", len(files), files)
	default:
		return f, fmt.Errorf("no model in the model folder: want one file whose name ends in %s; a folder that MLflow saved; or a model.py. Found %q", strings.Join(suffixes, ", "), others)
	}
	err = f.read(dir)
	return f, err
}

// read reads the text files that say what the model needs.
func (f *folder) read(dir string) error {
	text := func(name string) (string, error) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		return string(data), err
	}
	var err error
	if f.requirements, err = text("requirements.txt"); err != nil {
		return err
	}
	if info, err := os.Stat(filepath.Join(dir, "wheels")); err == nil {
		f.wheels = info.IsDir()
	}
	switch f.kind {
	case module:
		source, err := text(f.file)
		if err != nil {
			return err
		}
		if importsKServe.MatchString(source) {
			f.kind, f.wantsDir = ownServer, strings.Contains(source, "--model_dir")
		}
	case mlflow:
		noted, err := text("python_env.yaml")
		if err != nil {
			return err
		}
		if version := mlflowPython.FindStringSubmatch(noted); version != nil {
			f.python = version[1]
		}
	}
	return nil
}
