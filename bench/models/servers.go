// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// server is a process that serves one model, called m.
type server struct {
	name   string
	cmd    *exec.Cmd
	output bytes.Buffer
	http   string // its address
	client *http.Client
	grpc   *grpc.ClientConn
}

// The servers.
const (
	serin    = "serin"
	kserve   = "kserve"
	mlserver = "mlserver"
)

// startServers starts all of them with the model of a file.
func startServers(ctx context.Context, python, dir, file string, clients int) ([]*server, error) {
	page, err := os.ReadFile("docs/howto/kserve-python-server.md")
	if err != nil {
		return nil, err
	}
	program := regexp.MustCompile("(?s)<!-- file: server.py -->\n```python\n(.*?)```").FindSubmatch(page)
	if program == nil {
		return nil, errors.New("the how-to has no server.py")
	}
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "server.py"), program[1], 0o600),
		os.WriteFile(filepath.Join(dir, "model-settings.json"), []byte(`{"name": "m", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "./model.joblib"}}`), 0o600),
		os.Symlink(file, filepath.Join(dir, "model.joblib")),
	); err != nil {
		return nil, err
	}
	var all []*server
	for _, name := range []string{serin, kserve, mlserver} {
		s, err := startServer(ctx, name, python, dir, clients)
		if s != nil {
			all = append(all, s)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", name, err), stopServers(all))
		}
	}
	return all, nil
}

func stopServers(all []*server) error {
	var errs []error
	for _, s := range all {
		errs = append(errs, s.stop())
	}
	return errors.Join(errs...)
}

func startServer(ctx context.Context, name, python, dir string, clients int) (*server, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	address := func(i int) string { return net.JoinHostPort("127.0.0.1", ports[i]) }
	args := []string{"bin/serin-modelserver"}
	switch name {
	case kserve:
		args = []string{filepath.Join(python, "kserve/bin/python"), filepath.Join(dir, "server.py")}
	case mlserver:
		args = []string{filepath.Join(python, "mlserver/bin/mlserver"), "start", dir}
	}
	if name != mlserver {
		args = append(args, "--model_name=m", "--model_dir="+dir, "--http_port="+ports[0], "--grpc_port="+ports[1])
	}
	s := &server{name: name, http: address(0), cmd: exec.CommandContext(ctx, args[0], args[1:]...)}
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1",
		"MLSERVER_HOST=127.0.0.1", "MLSERVER_HTTP_PORT="+ports[0], "MLSERVER_GRPC_PORT="+ports[1], "MLSERVER_METRICS_PORT="+ports[2],
		"MLSERVER_PARALLEL_WORKERS=0") // one more process would share the core
	s.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	if s.grpc, err = grpc.NewClient(address(1), grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		return nil, err
	}
	if err := startPinned(s.cmd); err != nil {
		return nil, err
	}
	return s, s.ready(ctx)
}

// ready waits until the model is loaded.
func (s *server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.http+"/v2/models/m/ready", nil)
		if err != nil {
			return err
		}
		if a, err := s.client.Do(q); err == nil {
			_ = a.Body.Close()
			if a.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (s *server) stop() error {
	_ = s.grpc.Close()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	err := s.cmd.Wait()
	if ended := (*exec.ExitError)(nil); errors.As(err, &ended) && ended.ExitCode() < 0 {
		return nil // by our signal
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", s.name, err, lastLines(s.output.String()))
	}
	return nil
}

func lastLines(text string) string {
	const most = 2000
	return text[max(0, len(text)-most):]
}

// freePorts returns ports that nothing listens on.
func freePorts(n int) ([]string, error) {
	var ports []string
	for range n {
		ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer ln.Close()
		ports = append(ports, strconv.Itoa(ln.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}

// startPinned gives the child the first of our cores: a process inherits the
// affinity of the thread that starts it.
func startPinned(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	return errors.Join(cmd.Start(), unix.SchedSetaffinity(0, &all))
}
