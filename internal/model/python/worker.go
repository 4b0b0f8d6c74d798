// SPDX-License-Identifier: Apache-2.0

package python

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/serin-dev/serin/internal/model/frame"
)

// worker is a process that holds the model. It answers one request at a time.
type worker struct {
	cmd     *exec.Cmd
	conn    net.Conn
	request []byte
	message message
	wrong   atomic.Pointer[error] // why we ended it
	done    chan struct{}         // closed when the process has ended
}

// Model is a model that workers run. It implements frame.Model.
type Model struct {
	greeting
	free    chan *worker
	workers []*worker
	closing chan struct{}
	close   func()
	ended   chan struct{} // closed when a worker has ended
	end     sync.Once
	failed  error // why; read it after ended
}

// start starts the workers.
func start(ctx context.Context, cfg Config, program string, f folder) (*Model, error) {
	count := max(cfg.Workers, 1)
	m := &Model{free: make(chan *worker, count), closing: make(chan struct{}), ended: make(chan struct{})}
	m.close = sync.OnceFunc(func() { close(m.closing) })
	for range count {
		w, err := spawn(program, cfg.Dir, f)
		if err != nil {
			_ = m.Close()
			return nil, err
		}
		m.workers = append(m.workers, w)
	}
	for _, w := range m.workers {
		if err := m.greet(ctx, w); err != nil {
			_ = m.Close()
			return nil, fmt.Errorf("load %s: %w", f.file, err)
		}
		m.free <- w
		go m.watch(w, cfg.Fail)
	}
	return m, nil
}

// spawn starts a worker. Its output is the Pod's.
func spawn(program, dir string, f folder) (*worker, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket: %w", err)
	}
	syscall.CloseOnExec(pair[0])
	syscall.CloseOnExec(pair[1])
	ours, theirs := os.NewFile(uintptr(pair[0]), "worker"), os.NewFile(uintptr(pair[1]), "server")
	defer func() { _, _ = ours.Close(), theirs.Close() }()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, err
	}
	w := &worker{conn: conn, done: make(chan struct{})}
	w.cmd = exec.Command(program, "-u", "-c", workerScript, f.kind, dir, f.file) //nolint:noctx // it ends with the model, by Close
	w.cmd.Dir = dir
	w.cmd.Stdout, w.cmd.Stderr = os.Stdout, os.Stderr
	w.cmd.ExtraFiles = []*os.File{theirs}
	w.cmd.Env = append(os.Environ(), "MODEL_DIR="+dir, "PYTHONDONTWRITEBYTECODE=1")
	if err := w.cmd.Start(); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("run %s: %w", program, err)
	}
	go func() {
		_ = w.cmd.Wait()
		close(w.done)
	}()
	return w, nil
}

// greet waits until a worker has loaded the model.
func (m *Model) greet(ctx context.Context, w *worker) error {
	stop := context.AfterFunc(ctx, func() { _ = w.conn.SetReadDeadline(time.Now()) })
	defer stop()
	var hello greeting
	_, err := w.message.read(w.conn, &hello)
	switch {
	case ctx.Err() != nil:
		return errors.New("stopped before the model was loaded")
	case err != nil:
		<-w.done
		return w.ending()
	case hello.Error != "":
		return errors.New(hello.Error)
	}
	m.greeting = hello
	return nil
}

// ending says how a worker ended.
func (w *worker) ending() error {
	if wrong := w.wrong.Load(); wrong != nil {
		return fmt.Errorf("the model's Python process was ended: %w", *wrong)
	}
	text := w.cmd.ProcessState.String()
	if status, ok := w.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGKILL {
		text += ": it may have needed more memory than there is"
	}
	return fmt.Errorf("the model's Python process ended: %s", text)
}

// watch tells when a worker ends before the model is closed.
func (m *Model) watch(w *worker, fail func(error)) {
	<-w.done
	select {
	case <-m.closing:
		return
	default:
	}
	m.end.Do(func() {
		m.failed = w.ending()
		close(m.ended)
		fail(m.failed)
	})
}

// Close ends the workers.
func (m *Model) Close() error {
	const grace = 2 * time.Second
	m.close()
	timer := time.AfterFunc(grace, func() {
		for _, w := range m.workers {
			_ = w.cmd.Process.Kill()
		}
	})
	defer timer.Stop()
	for _, w := range m.workers {
		_ = w.conn.Close()
	}
	for _, w := range m.workers {
		<-w.done
	}
	return nil
}

// Class implements frame.Model.
func (m *Model) Class() string { return m.greeting.Class }

// Schema implements frame.Model. Only the model knows which rows it takes.
func (m *Model) Schema() frame.Schema { return frame.Schema{Open: true, Width: m.Width} }

// Remarks implements frame.Model. The log has what Python says.
func (m *Model) Remarks() []string { return nil }

// Output implements frame.Model. What an answer is, is known when it is there.
func (m *Model) Output(method frame.Method) (frame.Output, bool) {
	return frame.Output{Open: true}, method == frame.Predict || method == frame.PredictProba && m.Proba
}

// Predict implements frame.Model. Python cannot be stopped: the worker of a request that
// was stopped takes the next one when it has answered.
func (m *Model) Predict(stop func() error, method frame.Method, dst *frame.Result, x frame.Frame) error {
	w, err := wait(m, stop, m.free)
	if err != nil {
		return err
	}
	if w.request, err = appendRequest(w.request[:0], method, &x); err != nil {
		m.free <- w
		return err
	}
	answer := make(chan *answered, 1)
	go func() { answer <- w.ask() }()
	a, err := wait(m, stop, answer)
	if err != nil {
		go func() {
			if a := <-answer; a.err != nil {
				_ = m.broken(w, a.err)
				return
			}
			m.free <- w
		}()
		return err
	}
	if a.err != nil {
		return m.broken(w, a.err)
	}
	err = a.into(dst)
	if errors.Is(err, errShape) {
		w.kill(err) // the next answer would be wrong too
	}
	m.free <- w
	return err
}

// answered is an answer in the worker's memory.
type answered struct {
	reply
	body []byte
	err  error
}

// ask sends the request and reads the answer.
func (w *worker) ask() *answered {
	a := new(answered)
	if _, a.err = w.conn.Write(w.request); a.err == nil {
		a.body, a.err = w.message.read(w.conn, &a.reply)
	}
	if cap(w.request) > keep {
		w.request = nil
	}
	return a
}

func (a *answered) into(dst *frame.Result) error {
	switch {
	case a.Error != "" && a.Input:
		return frame.InputError(a.Error)
	case a.Error != "":
		return errors.New(a.Error)
	}
	return a.reply.into(dst, a.body)
}

// kill ends a worker that is of no use any more.
func (w *worker) kill(wrong error) {
	w.wrong.Store(&wrong)
	_ = w.cmd.Process.Kill()
}

// broken is the error of a request whose worker is gone, or of no use any more.
func (m *Model) broken(w *worker, err error) error {
	const grace = time.Second
	select {
	case <-w.done:
	case <-time.After(grace): // of what its end says, if it ends
		w.kill(err)
	}
	select {
	case <-m.ended:
		return m.failed
	case <-m.closing:
	case <-time.After(grace):
	}
	return fmt.Errorf("the model's Python process: %w", err)
}

// wait waits for a value, unless stop returns an error or a worker ends.
func wait[T any](m *Model, stop func() error, c <-chan T) (T, error) {
	const poll = 10 * time.Millisecond
	var none T
	select {
	case v := <-c:
		return v, nil
	default:
	}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		select {
		case v := <-c:
			return v, nil
		case <-m.ended:
			return none, m.failed
		case <-m.closing:
			return none, errors.New("the server stops")
		case <-ticker.C:
			if stop == nil {
				continue
			}
			if err := stop(); err != nil {
				return none, err
			}
		}
	}
}
