// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/serin-dev/serin/internal/testkit/eventually"
)

func TestMemoryLimitOfTheProcessBoundsAModel(t *testing.T) {
	const limit = 40 << 20
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(limit))
	dir := t.TempDir()
	for name, test := range map[string]struct{ content, want string }{
		"a large file":   {strings.Repeat("]", limit), "load m.pkl: the model needs more memory than the 31457280 bytes that loading may take here: raise limits.memory of its container"},
		"a large pickle": {"(" + strings.Repeat("]", 1<<20) + "l.", "the model needs more memory than the 31457280 bytes that loading may take here: raise limits.memory of its container"},
	} {
		if err := os.WriteFile(filepath.Join(dir, "m.pkl"), []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadModel(t.Context(), dir); err == nil || !strings.HasSuffix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

func TestModelsOfNewerVersionsAreServedWithAWarning(t *testing.T) {
	data, err := os.ReadFile(iris)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	data = bytes.ReplaceAll(data, []byte("\x8c\x051.9.1"), []byte("\x8c\x061.10.1"))
	if err := os.WriteFile(filepath.Join(dir, "m.joblib"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	if _, err := New(t.Context(), Config{ModelName: "m", ModelDir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))}); err != nil {
		t.Fatal(err)
	}
	const want = `level=WARN msg="the file was saved by scikit-learn 1.10.1, and Serin was compared with versions up to 1.9: it answers as that one does" model=m` + "\n"
	if _, got, _ := strings.Cut(log.String(), " "); got != want {
		t.Errorf("log:\n%s\nwant:\n%s", got, want)
	}
}

func TestALoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := loadModel(ctx, folder(t, iris))
	if err == nil || err.Error() != "load model.joblib: stopped before the model was loaded" {
		t.Errorf("error %v", err)
	}
}

func TestManyModelFilesWithStrangeNamesMakeAShortSentence(t *testing.T) {
	dir := t.TempDir()
	for i := range 100 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d\x1b[31m.pkl", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := loadModel(t.Context(), dir)
	want := `100 model files in the model folder, want one: "00\x1b[31m.pkl", "01\x1b[31m.pkl", "02\x1b[31m.pkl", "03\x1b[31m.pkl", "04\x1b[31m.pkl", ...`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestAClosedConnectionIsGone(t *testing.T) {
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	client, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := gone(conn); err != nil {
		t.Errorf("an idle connection: %v", err)
	}
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := gone(conn); err != nil {
		t.Errorf("a connection with a request waiting: %v", err)
	}
	b := make([]byte, 1)
	if _, err := conn.Read(b); err != nil || b[0] != 'x' {
		t.Errorf("read %q, %v after looking", b, err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, func(context.Context) (any, bool) {
		err := gone(conn)
		return err, errors.Is(err, errGone)
	})
}
