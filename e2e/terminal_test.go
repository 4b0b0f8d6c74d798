// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/serin-dev/serin/internal/testkit/eventually"
)

// escape matches escape sequences of terminals.
var escape = regexp.MustCompile(`\x1b(\[[0-9;:?<=>]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|P[^\x1b]*\x1b\\|[()][A-Z0-9]|[=>78])`)

// terminal runs a program in a terminal of 80 by 24, waits until what it shows
// matches a regular expression, types, and waits for its end.
func terminal(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: terminal REGEXP KEYS COMMAND [ARGS]")
	}
	re, err := regexp.Compile(args[0])
	ts.Check(err)
	c := exec.Command(filepath.Join(ts.Getenv("SERIN_BIN"), args[2]), args[3:]...)
	c.Dir = ts.Getenv("WORK")
	for _, name := range []string{"PATH", "HOME", "KUBECONFIG", "NO_COLOR"} {
		c.Env = append(c.Env, name+"="+ts.Getenv(name))
	}
	c.Env = append(c.Env, "TERM=xterm-256color")
	tty, err := pty.StartWithSize(c, &pty.Winsize{Cols: 80, Rows: 24})
	ts.Check(err)
	var seen eventually.Buffer
	text := func() string { return escape.ReplaceAllString(seen.String(), " ") }
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(&seen, tty)
		if errors.Is(err, syscall.EIO) { // how Linux reports that the program has ended
			err = nil
		}
		ended <- errors.Join(err, c.Wait())
	}()
	kill := func(format string, args ...any) {
		_ = c.Process.Kill()
		<-ended
		_ = tty.Close()
		ts.Fatalf(format, args...)
	}
	err = eventually.Within(context.Background(), eventual, interval, func(context.Context) (any, bool) {
		shows := text()
		return shows, re.MatchString(shows)
	})
	if err != nil {
		kill("showing %q %v", args[0], err)
	}
	_, err = io.WriteString(tty, strings.ReplaceAll(args[1], `\r`, "\r"))
	ts.Check(err)
	select {
	case err = <-ended:
		_ = tty.Close()
	case <-time.After(downTimeout):
		kill("the program still runs %s after %q was typed:\n%s", downTimeout, args[1], text())
	}
	ts.Logf("%s", text())
	if neg != (err != nil) {
		ts.Fatalf("the program ended with %v:\n%s", err, text())
	}
}
