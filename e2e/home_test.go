// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/serin-dev/serin/internal/testkit/eventually"
)

const (
	upTimeout   = time.Minute      // a busy machine may take several times the budget
	downTimeout = 30 * time.Second // the same: the budget is 10 s
	eventual    = time.Minute
	interval    = 100 * time.Millisecond
)

// home is a script's running `serin up`. Its zero value is its key in Values.
type home struct {
	process *exec.Cmd
	ended   chan error
	output  string // file

	cluster *cluster // if not nil, in place of a process
}

// kill ends the process with SIGKILL, if there is one.
func (h *home) kill() {
	if h.process != nil {
		_ = h.process.Process.Kill()
		<-h.ended
		h.process = nil
	}
}

func running(ts *testscript.TestScript) *home { return ts.Value(home{}).(*home) }

func up(ts *testscript.TestScript, neg bool, args []string) {
	h := running(ts)
	if h.cluster != nil {
		h.cluster.up(ts, neg, args)
		return
	}
	if neg || h.process != nil {
		ts.Fatalf("usage: up [FLAGS], once; a start that must fail is `! exec serin up`")
	}
	h.output = ts.MkAbs("up.log")
	out, err := os.OpenFile(h.output, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	ts.Check(err)
	h.process = exec.Command(filepath.Join(ts.Getenv("SERIN_BIN"), "serin"), append([]string{"up", "--api-port=0", "--router-port=0"}, args...)...)
	if n := ts.Getenv("DESCRIPTORS"); n != "" {
		h.process = exec.Command("sh", append([]string{"-c", "ulimit -n " + n + `; exec "$@"`, "sh"}, h.process.Args...)...)
	}
	h.process.Dir = ts.Getenv("WORK")
	h.process.Env = []string{"TMPDIR=" + os.TempDir()}
	for _, name := range []string{"PATH", "HOME", "SERIN_DATA_DIR", "STORAGE_EMULATOR_HOST"} {
		h.process.Env = append(h.process.Env, name+"="+ts.Getenv(name))
	}
	h.process.Stdout, h.process.Stderr = out, out
	ts.Check(h.process.Start())
	ts.Check(out.Close())
	h.ended = make(chan error, 1)
	go func(c *exec.Cmd, ended chan<- error) { ended <- c.Wait() }(h.process, h.ended)
	ts.Defer(h.kill)
	hints := awaitOutput(ts, h.output, lastHint, upTimeout, h.ended)[0]
	said := []string{"KUBECONFIG", "INGRESS_HOST", "INGRESS_PORT", "INSIDE_PORT"}
	if strings.Contains(strings.Join(args, " "), "--without") && strings.Contains(strings.Join(args, " "), "router") {
		said = said[:1]
	}
	for _, name := range said {
		m := regexp.MustCompile(name + `=(\S+)`).FindStringSubmatch(hints)
		if m == nil {
			ts.Fatalf("serin up does not say what to export as %s:\n%s", name, hints)
		}
		ts.Setenv(name, m[1])
	}
}

// lastHint matches all output of a `serin up` that is up.
var lastHint = regexp.MustCompile(`(?s)^.*Ctrl-C stops.*$`)

// awaitOutput waits until a program's output matches, and returns the match and
// its groups. It fails at once if the program ends, unless ended is nil.
func awaitOutput(ts *testscript.TestScript, file string, re *regexp.Regexp, limit time.Duration, ended chan error) (groups []string) {
	within(ts, limit, func() (any, bool) {
		said, err := os.ReadFile(file)
		ts.Check(err)
		select {
		case err := <-ended:
			ended <- err // for kill, which receives it too
			ts.Fatalf("the program ended: %v\n%s", err, said)
		default:
		}
		groups = re.FindStringSubmatch(string(said))
		return string(said), groups != nil
	})
	return groups
}

// within waits until check reports ok, and fails the script after the limit.
func within(ts *testscript.TestScript, limit time.Duration, check func() (saw any, ok bool)) {
	ts.Check(eventually.Within(context.Background(), limit, interval, func(context.Context) (any, bool) { return check() }))
}

func down(ts *testscript.TestScript, neg bool, args []string) {
	h := running(ts)
	if h.cluster != nil {
		h.cluster.down(ts, neg, args)
		return
	}
	if neg || len(args) > 0 || h.process == nil {
		ts.Fatalf("usage: down, after up")
	}
	begin := time.Now()
	ts.Check(h.process.Process.Signal(os.Interrupt))
	select {
	case err := <-h.ended:
		h.process = nil
		ts.Logf("serin up ended %.1f s after Ctrl-C", time.Since(begin).Seconds())
		if err != nil {
			log, _ := os.ReadFile(h.output)
			ts.Fatalf("serin up ended with %v:\n%s", err, log)
		}
	case <-time.After(downTimeout):
		ts.Check(h.process.Process.Signal(syscall.SIGQUIT)) // prints all goroutines
		<-h.ended
		h.process = nil
		log, _ := os.ReadFile(h.output)
		ts.Fatalf("serin up still runs %s after Ctrl-C:\n%s", downTimeout, log)
	}
	noProcesses(ts)
}

func crash(ts *testscript.TestScript, neg bool, args []string) {
	h := running(ts)
	if neg || len(args) > 0 || h.process == nil {
		ts.Fatalf("usage: crash, after up")
	}
	h.kill()
	noProcesses(ts)
}

// noProcesses fails if etcd or a process of this script's Pods still runs. Pods'
// processes have paths below the data directory in their environment, etcd has
// them in its arguments.
func noProcesses(ts *testscript.TestScript) {
	within(ts, downTimeout, func() (any, bool) {
		alive := []string{"processes left behind:"}
		environs, err := filepath.Glob("/proc/[0-9]*/environ")
		ts.Check(err)
		for _, f := range environs {
			dir := []byte(ts.Getenv("SERIN_DATA_DIR"))
			env, _ := os.ReadFile(f)
			cmdline, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "cmdline"))
			pod := bytes.Contains(env, []byte("SERIN_POD")) && bytes.Contains(env, dir)
			etcd := bytes.Contains(cmdline, []byte("serin-etcd\x00")) && bytes.Contains(cmdline, dir)
			if !pod && !etcd {
				continue
			}
			alive = append(alive, string(bytes.ReplaceAll(cmdline, []byte{0}, []byte(" "))))
		}
		return strings.Join(alive, "\n"), len(alive) == 1
	})
}

// expand replaces @NAME@ in files by variables of the script.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: expand FILE...")
	}
	values := strings.NewReplacer("@WORK@", ts.Getenv("WORK"), "@MODELSERVER@", ts.Getenv("MODELSERVER"), "@CLIENT@", ts.Getenv("CLIENT"), "@TWOPORTS@", ts.Getenv("TWOPORTS"), "@STORE@", ts.Getenv("STORE"))
	for _, f := range args {
		ts.Check(os.WriteFile(ts.MkAbs(f), []byte(values.Replace(ts.ReadFile(f))), 0o600))
	}
}

// matches repeats a command until its output matches a regular expression.
func matches(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually REGEXP COMMAND [ARGS]")
	}
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	repeat(ts, args[1:], func(out string) bool { return re.MatchString(out) })
}

// absent repeats a command until it prints nothing.
func absent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: absent COMMAND [ARGS]")
	}
	repeat(ts, args, func(out string) bool { return strings.TrimSpace(out) == "" })
}

func repeat(ts *testscript.TestScript, command []string, enough func(string) bool) {
	within(ts, eventual, func() (any, bool) {
		err := ts.Exec(command[0], command[1:]...)
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) && !errors.Is(err, syscall.ECHILD) {
			ts.Check(err)
		}
		out := ts.ReadFile("stdout")
		return fmt.Sprintf("%v\n%s%s", err, out, ts.ReadFile("stderr")), enough(out)
	})
}
