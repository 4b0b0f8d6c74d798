// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-dev/serin/internal/local"
	"github.com/serin-dev/serin/internal/setting"
)

// upFlags are the flags of a local Serin.
type upFlags struct {
	dir, kubeconfig, domain, logLevel, accessLog string
	apiPort, routerPort, insidePort, metricsPort int
	without                                      []string
	restore                                      bool
}

func upCommand() *cobra.Command {
	var f upFlags
	c := &cobra.Command{
		Use:   "up",
		Short: "Run Serin on this machine, until Ctrl-C",
		Long: `Run a real Kubernetes API with Serin's controller and router in this process, and
models as separate processes. All state is in the data directory. The next 'serin
up' finds every service again, and restores its own definitions and runtimes. It
listens on 127.0.0.1 only.`,
		Example: `  serin up
  serin up --router-port 9090 --domain models.local
  serin up --kubeconfig ~/.kube/config     add the context "serin" to your own file`,
		RunE: func(c *cobra.Command, _ []string) error { return up(c.Context(), f, c.OutOrStdout()) },
	}
	fs := c.Flags()
	fs.StringVar(&f.dir, "data-dir", os.Getenv("SERIN_DATA_DIR"), "directory of all state (default the user's data directory, ~/.local/share/serin)")
	fs.StringVar(&f.kubeconfig, "kubeconfig", "", "file that gets the context \"serin\"; others in it are kept (default DATA-DIR/kubeconfig)")
	fs.Var(setting.FreePort(&f.apiPort, 6443), "api-port", "port of the Kubernetes API; 0 takes a free one")
	fs.Var(setting.FreePort(&f.routerPort, 8080), "router-port", "port for requests to the models; 0 takes a free one")
	fs.Var(setting.FreePort(&f.insidePort, 0), "inside-port", "port for requests as from inside a cluster, which private services answer too; 0 takes a free one")
	fs.Var(setting.FreePort(&f.metricsPort, 0), "metrics-port", "port of the router's Prometheus metrics; 0 takes a free one")
	fs.Var(setting.Domain(&f.domain, "example.com"), "domain", "end of the host names of services")
	fs.Var(setting.LogLevel(&f.logLevel, "warn"), "log-level", "level of the log on standard error: debug, info, warn or error")
	fs.StringVar(&f.accessLog, "access-log", "", "file that gets a line for every request; - is standard error")
	fs.BoolVar(&f.restore, "restore", false, "start with the copy of the database, which is made every 10 minutes and at the end; the current database is kept beside it")
	fs.Var(setting.Some(&f.without, local.Parts...), "without", "components to leave out, for their developers: "+strings.Join(local.Parts, ", "))
	return c
}

func up(ctx context.Context, f upFlags, out io.Writer) (err error) {
	start := time.Now()
	c, open, err := f.config(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.Close()) }()
	c.Progress = func(step string) { fmt.Fprintf(out, "  %5.1fs  %s\n", time.Since(start).Seconds(), step) }
	c.Ready = func() {
		fmt.Fprintln(out, "serin is up")
		fmt.Fprint(out, f.hints(c))
	}
	context.AfterFunc(ctx, func() { fmt.Fprintln(out, "stopping ...") })
	return local.Run(ctx, c)
}

// config reads the flags and opens the files and ports that they name, so that
// errors are reported before anything starts.
func (f *upFlags) config(ctx context.Context) (c local.Config, open closers, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, open.Close())
		}
	}()
	if f.dir == "" {
		if f.dir, err = local.DefaultDir(); err != nil {
			return c, open, err
		}
	}
	if f.dir, err = filepath.Abs(f.dir); err != nil {
		return c, open, err
	}
	if f.kubeconfig == "" {
		f.kubeconfig = local.Kubeconfig(f.dir)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return c, open, fmt.Errorf("--log-level %s: must be debug, info, warn or error", f.logLevel)
	}
	router := !slices.Contains(f.without, local.Router)
	c = local.Config{
		Dir:        f.dir,
		Kubeconfig: f.kubeconfig,
		Domain:     f.domain,
		Env:        modelEnv(os.Environ()),
		Without:    f.without,
		Restore:    f.restore,
		Log:        slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
	}
	if c.Programs, err = programs(!slices.Contains(f.without, local.Node)); err != nil {
		return c, open, err
	}
	for _, l := range []struct {
		to   *net.Listener
		port int
		flag string
		on   bool
	}{
		{&c.API, f.apiPort, "--api-port", true},
		{&c.Router, f.routerPort, "--router-port", router},
		{&c.Inside, f.insidePort, "--inside-port", router},
		{&c.Metrics, f.metricsPort, "--metrics-port", router},
	} {
		if !l.on {
			continue
		}
		if *l.to, err = listen(ctx, l.port, l.flag); err != nil {
			return c, open, err
		}
		open = append(open, *l.to)
	}
	err = f.openAccessLog(&c, &open)
	return c, open, err
}

func (f *upFlags) openAccessLog(c *local.Config, open *closers) error {
	switch f.accessLog {
	case "":
	case "-":
		c.AccessLog = os.Stderr
	default:
		file, err := os.OpenFile(f.accessLog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("open access log: %w", err)
		}
		*open = append(*open, file)
		c.AccessLog = file
	}
	return nil
}

// closers are the open files and listeners.
type closers []io.Closer

// Close closes all that is not closed yet.
func (cs closers) Close() error {
	var errs []error
	for _, c := range cs {
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func listen(ctx context.Context, port int, flag string) (net.Listener, error) {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("port %d is in use: stop what listens on %s, or choose another port with %s (0 takes a free one)", port, address, flag)
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w; choose another port with %s", address, err, flag)
	}
	return l, nil
}

// programs returns the directory of serin itself, in which serin-etcd and, for a
// node, the programs of models must be.
func programs(node bool) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find serin's own directory: %w", err)
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return "", fmt.Errorf("find serin's own directory: %w", err)
	}
	dir := filepath.Dir(self)
	names := []string{"serin-etcd"}
	if node {
		names = append(names, "serin-modelserver", "serin-queue", "serin-fetch")
	}
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("%s is missing beside serin in %s: 'make build' puts both there", name, dir)
		}
	}
	return dir, nil
}

// modelEnv returns the part of our environment that model processes get: the paths
// of programs and temporary files, and how to reach the stores of models.
func modelEnv(environ []string) []string {
	var env []string
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		switch {
		case name == "PATH", name == "HOME", name == "TMPDIR", name == "LANG", name == "TZ",
			name == "STORAGE_EMULATOR_HOST", name == "GOOGLE_APPLICATION_CREDENTIALS",
			name == "SSL_CERT_FILE", name == "SSL_CERT_DIR",
			strings.HasPrefix(name, "AWS_"), strings.HasPrefix(name, "S3_"), strings.HasPrefix(name, "PIP_"),
			strings.HasSuffix(strings.ToUpper(name), "_PROXY"):
			env = append(env, e)
		}
	}
	return env
}
