// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"time"

	"github.com/creack/pty"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// streamIdle ends a kubectl exec, attach or port-forward on which nothing moves.
const streamIdle = 4 * time.Hour

// session is one kubectl exec, attach or port-forward. It ignores the names that the streaming
// library passes, because open has found the container already.
type session struct {
	node   *node
	worker *worker
	target *instance
}

// open finds the container that a request names.
func (n *node) open(w http.ResponseWriter, r *http.Request) (s session, ok bool) {
	name := r.PathValue("container")
	worker, ok := n.worker(r.PathValue("namespace"), r.PathValue("pod"))
	if !ok {
		http.Error(w, fmt.Sprintf("this node has no pod %q", r.PathValue("pod")), http.StatusNotFound)
		return s, false
	}
	s = session{node: n, worker: worker}
	if name == "" {
		return s, true
	}
	_, target, err := worker.container(name)
	if err == nil && target == nil {
		err = fmt.Errorf("container %q of pod %q does not run", name, r.PathValue("pod"))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return s, false
	}
	s.target = target
	return s, true
}

func (n *node) serveExec(w http.ResponseWriter, r *http.Request) {
	n.serveCommand(w, r, func(s session, o *remotecommand.Options) {
		remotecommand.ServeExec(w, r, s, "", "", "", r.URL.Query()["command"], o,
			streamIdle, remotecommand.DefaultStreamCreationTimeout, remotecommand.SupportedStreamingProtocols)
	})
}

func (n *node) serveAttach(w http.ResponseWriter, r *http.Request) {
	n.serveCommand(w, r, func(s session, o *remotecommand.Options) {
		remotecommand.ServeAttach(w, r, s, "", "", "", o,
			streamIdle, remotecommand.DefaultStreamCreationTimeout, remotecommand.SupportedStreamingProtocols)
	})
}

func (n *node) serveCommand(w http.ResponseWriter, r *http.Request, serve func(session, *remotecommand.Options)) {
	o, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if s, ok := n.open(w, r); ok {
		serve(s, o)
	}
}

func (n *node) servePortForward(w http.ResponseWriter, r *http.Request) {
	o, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if s, ok := n.open(w, r); ok {
		portforward.ServePortForward(w, r, s, "", "", o, streamIdle,
			remotecommand.DefaultStreamCreationTimeout, portforward.SupportedProtocols)
	}
}

// ExecInContainer runs a further command beside a container's own.
func (s session) ExecInContainer(ctx context.Context, _, _, _ string, argv []string,
	in io.Reader, out, errOut io.WriteCloser, tty bool, resize <-chan remotecommand.TerminalSize, _ time.Duration,
) error {
	cmd, err := s.target.setting.command(argv)
	if err != nil {
		return err
	}
	fork := s.target.setting.fork
	if tty {
		err = fork.execTerminal(ctx, cmd, in, out, resize)
	} else {
		err = fork.execPipes(ctx, cmd, in, out, errOut)
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code, _ := exitOf(exit.ProcessState)
		return utilexec.CodeExitError{Err: fmt.Errorf("exit code %d", code), Code: int(code)}
	}
	return err
}

func (f *forker) execPipes(ctx context.Context, cmd command, in io.Reader, out, errOut io.Writer) error {
	cmd.Stdout, cmd.Stderr = out, errOut
	if in != nil {
		stdin, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		// It ends with the command's pipe or with the client's stream, whichever is first.
		go func() {
			_, _ = io.Copy(stdin, in)
			_ = stdin.Close()
		}()
	}
	return f.exec(ctx, cmd)
}

func (f *forker) execTerminal(ctx context.Context, cmd command, in io.Reader, out io.Writer, resize <-chan remotecommand.TerminalSize) error {
	master, slave, err := pty.Open()
	if err != nil {
		return fmt.Errorf("open a terminal: %w", err)
	}
	defer func() { _ = master.Close() }()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	controlTerminal(cmd.Cmd)
	copied := make(chan struct{})
	if in != nil {
		go func() { _, _ = io.Copy(master, in) }()
	}
	go func() {
		for size := range resize {
			_ = pty.Setsize(master, &pty.Winsize{Rows: size.Height, Cols: size.Width})
		}
	}()
	go func() {
		defer close(copied)
		if out != nil {
			_, _ = io.Copy(out, master)
		}
	}()
	err = f.exec(ctx, cmd)
	_ = slave.Close()
	select {
	case <-copied:
	case <-time.After(outputGrace): // a background process keeps the terminal open
	}
	return err
}

// AttachContainer streams the output of a container from now on, and its standard input if it has
// one.
func (s session) AttachContainer(ctx context.Context, _, _, _ string,
	in io.Reader, out, errOut io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize,
) error {
	speak := func() {
		_, _ = io.Copy(s.target.stdin, in)
		if s.target.spec.StdinOnce {
			_ = s.target.stdin.Close()
		}
	}
	o := logOptions{follow: true}
	if in != nil && s.target.stdin != nil {
		o.caughtUp = func() { go speak() } // the container's answer comes after what it said before
	}
	return s.target.log.copyTo(ctx, o, func(e logEntry) error {
		to := out
		if e.stream == "stderr" && errOut != nil {
			to = errOut
		}
		if to == nil {
			return nil
		}
		_, err := to.Write(e.text)
		return err
	})
}

// PortForward connects a stream with a port of the Pod.
func (s session) PortForward(ctx context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	address := net.JoinHostPort(s.worker.ip, strconv.Itoa(int(port)))
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	go func() {
		_, _ = io.Copy(conn, stream)
		if c, ok := conn.(*net.TCPConn); ok {
			_ = c.CloseWrite()
		}
	}()
	_, err = io.Copy(stream, conn)
	return err
}
