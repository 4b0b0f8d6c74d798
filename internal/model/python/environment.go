// SPDX-License-Identifier: Apache-2.0

package python

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// program is a Python.
type program struct {
	path    string // absolute
	version string // all that it says about itself
	virtual bool   // it is that of a virtual environment
}

var editable = regexp.MustCompile(`(?m)^\s*(-e|--editable)\b`)

// interpreter finds the Python. Where a model notes its version and that one is there, it
// is taken in place of python3.
func interpreter(ctx context.Context, name, version string, log *slog.Logger) (program, error) {
	if name == "python3" && version != "" {
		if _, err := ask(ctx, name+version[1:]); err == nil {
			name += version[1:]
		} else {
			log.Warn("the model notes another Python, which is not on this machine", "wants", "python"+version, "runs", name)
		}
	}
	p, err := ask(ctx, name)
	if _, ok := errors.AsType[*exec.Error](err); ok {
		return p, fmt.Errorf("there is no Python here (%s is not on the PATH): install Python 3 with its module venv, or name another with --python=PATH; "+
			"in a cluster, set predictor.model.image to an image that has it: see docs/howto/your-own-python.md", name)
	}
	if err != nil {
		return p, fmt.Errorf("%s does not run: %w", name, err)
	}
	return p, nil
}

// ask asks a Python for its path and version.
func ask(ctx context.Context, name string) (program, error) {
	cmd := exec.CommandContext(ctx, name, "-c", "import sys; print(sys.executable); print(sys.prefix != sys.base_prefix); print(sys.implementation.name, sys.version)")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return program{}, err
	}
	path, rest, _ := strings.Cut(string(out), "\n")
	virtual, version, _ := strings.Cut(rest, "\n")
	return program{path, version, virtual == "True"}, nil
}

// environment returns the Python of the environment that the model needs, and makes it
// unless it is there. It lies in a folder by the hash of what it is made of. One process
// makes it; others wait. A file in it tells that it is complete.
func environment(ctx context.Context, cfg Config, f folder, base program) (string, error) {
	requirements := f.requirements
	if requirements == "" {
		var err error
		if requirements, err = needs(cfg.Dir, f); err != nil {
			return "", err
		}
		cfg.Log.Info("there is no requirements.txt beside the model, so this is taken for it", "requirements", strings.Fields(requirements))
	}
	if editable.MatchString(requirements) {
		return "", errors.New("requirements.txt installs a package with -e, from a folder that goes with its Pod, while the environment stays: leave -e out")
	}
	dir := filepath.Join(cfg.Environments, digest(requirements, f, cfg.Dir, base))
	locked, err := lock(ctx, dir, cfg.step)
	if err != nil {
		return "", fmt.Errorf("the virtual environment of the model: %w", err)
	}
	defer func() { _ = locked.Close() }()
	python, complete := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "complete")
	if there(complete) && there(python) {
		return python, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	cfg.step("making a virtual environment with " + base.path)
	venv := exec.CommandContext(ctx, base.path, "-m", "venv", dir)
	venv.ExtraFiles = []*os.File{locked}
	if out, err := venv.CombinedOutput(); err != nil {
		_, _ = os.Stderr.Write(out)
		return "", fmt.Errorf("%s makes no virtual environment: install its module venv, such as the package python3-venv (%s)", base.path, lastLine(string(out)))
	}
	if err := install(ctx, cfg, f, python, requirements, locked); err != nil {
		_ = os.RemoveAll(dir)
		return "", err
	}
	cfg.Log.Info("made a virtual environment", "folder", dir)
	return python, os.WriteFile(complete, []byte(requirements), 0o600)
}

// there reports whether a file is there; that of a Python that was removed is a broken link.
func there(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// local returns the requirements that are paths of packages: ./package.
func local(requirements string) (paths []string) {
	for line := range strings.Lines(requirements) {
		if path := strings.TrimSpace(line); strings.HasPrefix(path, ".") {
			paths = append(paths, path)
		}
	}
	return paths
}

// digest is the name of an environment. Files of requirements that name others are
// covered, as are the packages beside the model.
func digest(requirements string, f folder, dir string, base program) string {
	h := sha256.New()
	part := func(s string) { _, _ = fmt.Fprintf(h, "%d\n%s\n", len(s), s) }
	part(base.path)
	part(base.version)
	part(requirements)
	const most = 1 << 20 // a larger text is a model
	texts, _ := filepath.Glob(filepath.Join(dir, "*.txt"))
	for _, file := range texts {
		if info, err := os.Stat(file); err == nil && info.Size() <= most {
			data, _ := os.ReadFile(file)
			part(string(data))
		}
	}
	folders := local(requirements)
	if f.wheels {
		folders = append(folders, "wheels")
	}
	for _, folder := range folders {
		_ = filepath.WalkDir(filepath.Join(dir, folder), func(file string, _ fs.DirEntry, _ error) error {
			if name := filepath.Base(file); name == "build" || strings.HasSuffix(name, ".egg-info") {
				return fs.SkipDir // pip makes them
			}
			part(file[len(dir):])
			if content, err := os.Open(file); err == nil {
				n, _ := io.Copy(h, content)
				part(fmt.Sprint(n))
				_ = content.Close()
			}
			return nil
		})
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// lock waits until no other process makes the environment. The file that it returns is the
// lock: pip has it too, so that one whose server was killed keeps others out.
func lock(ctx context.Context, dir string, step func(string)) (*os.File, error) {
	const pause = 50 * time.Millisecond
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	told := false
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, err
		}
		if !told {
			step("waiting for another Pod that makes the same virtual environment")
			told = true
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// install runs pip, with its output in the log, and its last line as the progress.
func install(ctx context.Context, cfg Config, f folder, python, requirements string, locked *os.File) error {
	name := filepath.Join(cfg.Dir, "requirements.txt") // paths in it are relative to it
	if f.requirements == "" {
		list, err := os.CreateTemp("", "requirements-*.txt")
		if err != nil {
			return err
		}
		defer func() { _ = os.Remove(list.Name()) }()
		_, err = list.WriteString(requirements)
		if err := errors.Join(err, list.Close()); err != nil {
			return err
		}
		name = list.Name()
	}
	args := []string{"-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off", "-r", name}
	if f.wheels {
		args = append(args, "--no-index", "--find-links="+filepath.Join(cfg.Dir, "wheels"))
	}
	cmd := exec.CommandContext(ctx, python, args...)
	cmd.Dir = cfg.Dir
	cmd.ExtraFiles = []*os.File{locked}
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	var said []string
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			line := strings.TrimSpace(lines.Text())
			_, _ = fmt.Fprintln(os.Stderr, line)
			said = append(said, line)
			cfg.Progress("pip: " + short(line))
		}
		_, _ = io.Copy(io.Discard, r)
	}()
	err := cmd.Run()
	_ = w.Close()
	<-read
	if ctx.Err() != nil {
		return errors.New("stopped before the model was loaded")
	}
	if err != nil {
		return errors.New(verdict(said, f))
	}
	return nil
}

// verdict makes one sentence of what pip said.
func verdict(said []string, f folder) string {
	what := ""
	for _, line := range said {
		if rest, ok := strings.CutPrefix(line, "ERROR: "); ok {
			what = rest // the last one says it best
		}
	}
	if what == "" {
		what = lastLine(strings.Join(said, "\n"))
	}
	all := strings.Join(said, "\n")
	do := "correct requirements.txt beside the model"
	switch {
	case f.wheels:
		do = "add its wheel for this Python to the folder wheels beside the model, or remove that folder to ask PyPI"
	case strings.Contains(all, "NewConnectionError"), strings.Contains(all, "NameResolutionError"), strings.Contains(all, "ConnectTimeoutError"), strings.Contains(all, "ProxyError"):
		do = "PyPI cannot be reached: lay a folder wheels with the packages beside the model"
	case strings.Contains(all, "Requires-Python") || strings.Contains(all, "from versions: ") && !strings.Contains(all, "from versions: none"):
		do = "correct requirements.txt beside the model, or choose another Python with the argument --python=python3.X"
	case f.requirements == "":
		do = "write a requirements.txt beside the model"
	}
	return fmt.Sprintf("pip cannot install what the model needs: %s: %s", strings.TrimSuffix(what, "."), do)
}

// short leaves out why a package is wanted, and the end of a long list.
func short(line string) string {
	const most = 120
	line, _, _ = strings.Cut(line, " (from ")
	if len(line) > most {
		return strings.ToValidUTF8(line[:most], "") + " ..."
	}
	return line
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
