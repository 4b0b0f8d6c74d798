// SPDX-License-Identifier: Apache-2.0

// Package python runs a model in the user's own Python, behind the model server.
//
// Load looks at what lies in the model's folder (folder.go), makes a virtual environment
// for it where there is a place for those (environment.go), and starts workers: processes
// of that Python with worker.py, which get rows over a socket and answer them (worker.go,
// wire.go). The result is a frame.Model like any other, so that all protocols work with it. A
// model.py that is a server of KServe's package takes the place of this process instead.
//
// Python executes what the files say, with the rights of this process. So nothing here is
// chosen by a file: whoever starts the server asks for it. The package opens no port.
package python

import (
	"context"
	_ "embed" // the scripts are a part of the program
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
)

var (
	//go:embed worker.py
	workerScript string
	//go:embed kserve.py
	kserveScript string
)

// Config says which model to run, and in which Python.
type Config struct {
	// Program is the Python: a path, or a name on the PATH.
	Program string
	// Dir is the model's folder.
	Dir string
	// Environments is the folder of virtual environments. Where it is empty, as in an image,
	// or where the Program names an environment already, it has all that the model needs.
	Environments string
	// Workers is the number of processes; each answers one request at a time.
	Workers int
	// Flags are those of the server, for a model.py that is one itself.
	Flags []string
	// Progress is told what takes time, in a few words.
	Progress func(string)
	// Fail is called when a worker has ended that should not.
	Fail func(error)
	Log  *slog.Logger
}

// Load runs the model. Its errors are sentences for the owner of the model. It does not
// return if the model is a server itself.
func Load(ctx context.Context, cfg Config) (*Model, error) {
	var err error
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, err
	}
	found, err := look(cfg.Dir)
	if err != nil {
		return nil, err
	}
	program, err := interpreter(ctx, cfg.Program, found.python, cfg.Log)
	if err != nil {
		return nil, err
	}
	named := program.virtual && cfg.Program != "python3" // not one that only happens to be active
	if cfg.Environments != "" && !named {
		if program.path, err = environment(ctx, cfg, found, program); err != nil {
			return nil, err
		}
	}
	if found.kind == ownServer {
		return nil, become(program.path, cfg, found)
	}
	cfg.step("loading " + found.file)
	return start(ctx, cfg, program.path, found)
}

// step tells what begins, here and in the log.
func (c Config) step(what string) {
	c.Log.Info(what)
	c.Progress(what)
}

// become replaces this process by a server in Python, which listens on the same ports.
func become(program string, cfg Config, found folder) error {
	flags := cfg.Flags
	if found.wantsDir {
		flags = append(flags, "--model_dir="+cfg.Dir)
	}
	cfg.Log.Info("the model is a server of KServe's package, which takes over", "python", program)
	if err := os.Chdir(cfg.Dir); err != nil {
		return err
	}
	err := syscall.Exec(program, append([]string{program, "-u", "-c", kserveScript}, flags...), append(os.Environ(), "MODEL_DIR="+cfg.Dir))
	return fmt.Errorf("run %s: %w", program, err)
}
