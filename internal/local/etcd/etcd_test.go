// SPDX-License-Identifier: Apache-2.0

package etcd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/serin-dev/serin/internal/local/etcd"
)

// The test binary is serin-etcd when asked to be: etcd ends its process.
const child = "SERIN_ETCD_TEST_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(child)
	if dir == "" {
		os.Exit(m.Run())
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() { // ends with the pipe that the test holds
		_, _ = os.Stdin.Read(make([]byte, 1))
		stop()
	}()
	log, err := zap.NewProduction(zap.IncreaseLevel(zap.ErrorLevel))
	if err == nil {
		err = etcd.Run(ctx, etcd.Config{
			Dir: dir, Socket: socket(dir), NoSync: true, Restore: len(os.Args) > 1, Log: log,
			Ready: func() { fmt.Println("ready") },
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func socket(dir string) string { return filepath.Join(dir, "etcd.sock") }

// server is an etcd in a process of its own.
type server struct {
	cmd  *exec.Cmd
	stop func()
	said bytes.Buffer
}

// start starts an etcd. What it said is in the error when it is not up in time.
func start(t *testing.T, dir string, args ...string) (*server, error) {
	t.Helper()
	s := &server{cmd: exec.CommandContext(t.Context(), os.Args[0], args...)}
	s.cmd.Env = append(os.Environ(), child+"="+dir)
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = &s.said
	s.stop = func() { _ = stdin.Close() }
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(time.Minute, func() { _ = s.cmd.Process.Signal(syscall.SIGQUIT) })
	defer watchdog.Stop()
	if n, _ := stdout.Read(make([]byte, 100)); n > 0 {
		return s, nil
	}
	return nil, errors.Join(s.cmd.Wait(), errors.New(s.said.String()))
}

func (s *server) end(t *testing.T) {
	t.Helper()
	s.stop()
	if err := s.cmd.Wait(); err != nil {
		t.Fatalf("etcd did not end well: %v\n%s", err, s.said.String())
	}
}

func client(t *testing.T, dir string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{"unix://" + socket(dir)}, Logger: zap.NewNop(), DialTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const keys = 6000 // more than one snapshot of the log

func key(n int) string   { return fmt.Sprintf("/key/%05d", n) }
func value(n int) string { return fmt.Sprintf("%d %s", n, strings.Repeat("v", 200)) }

// fill writes all keys.
func fill(t *testing.T, dir string) {
	t.Helper()
	c := client(t, dir)
	defer c.Close()
	var writers sync.WaitGroup
	failed := make(chan error, keys)
	for w := range 50 {
		writers.Go(func() {
			for n := w; n < keys; n += 50 {
				if _, err := c.Put(t.Context(), key(n), value(n)); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	writers.Wait()
	close(failed)
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
}

// missing counts the keys that are not as they were written, and wants a write to work.
func missing(t *testing.T, dir string) (lost int, revision int64, err error) {
	t.Helper()
	c := client(t, dir)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got, err := c.Get(ctx, "/key/", clientv3.WithPrefix())
	if err != nil {
		return 0, 0, err
	}
	have := map[string]string{}
	for _, kv := range got.Kvs {
		have[string(kv.Key)] = string(kv.Value)
	}
	for n := range keys {
		if have[key(n)] != value(n) {
			lost++
		}
	}
	_, err = c.Put(ctx, "/new", "x")
	return lost, got.Header.Revision, err
}

// used is a data directory that an etcd has left, with a copy in it.
func used(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s, err := start(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, dir)
	s.end(t)
	return dir
}

// Whatever of the data is damaged, etcd starts with all of it or not at all,
// and the copy has all of it.
func TestDamagedDataIsRefusedOrStartsWhole(t *testing.T) {
	good := used(t)
	for name, damage := range map[string]func(t *testing.T, member string){
		"nothing":                    func(*testing.T, string) {},
		"the database is cut":        func(t *testing.T, m string) { t.Helper(); cut(t, one(t, m, "snap/db"), 2) },
		"the database is empty":      func(t *testing.T, m string) { t.Helper(); truncate(t, one(t, m, "snap/db"), 0) },
		"the database is missing":    func(t *testing.T, m string) { t.Helper(); remove(t, one(t, m, "snap/db")) },
		"the database has garbage":   func(t *testing.T, m string) { t.Helper(); garbage(t, one(t, m, "snap/db"), 1<<20, 1<<19) },
		"the database is garbage":    func(t *testing.T, m string) { t.Helper(); garbage(t, one(t, m, "snap/db"), 0, 1<<20) },
		"the log is cut":             func(t *testing.T, m string) { t.Helper(); truncate(t, one(t, m, "wal/*.wal"), 300_000) },
		"the log has a torn end":     func(t *testing.T, m string) { t.Helper(); tear(t, one(t, m, "wal/*.wal")) },
		"the log is empty":           func(t *testing.T, m string) { t.Helper(); truncate(t, one(t, m, "wal/*.wal"), 0) },
		"the log is missing":         func(t *testing.T, m string) { t.Helper(); remove(t, filepath.Join(m, "wal")) },
		"the log has garbage":        func(t *testing.T, m string) { t.Helper(); garbage(t, one(t, m, "wal/*.wal"), 200_000, 4096) },
		"the log is garbage":         func(t *testing.T, m string) { t.Helper(); garbage(t, one(t, m, "wal/*.wal"), 0, 1<<20) },
		"the snapshot is missing":    func(t *testing.T, m string) { t.Helper(); remove(t, one(t, m, "snap/*.snap")) },
		"the snapshot is empty":      func(t *testing.T, m string) { t.Helper(); truncate(t, one(t, m, "snap/*.snap"), 0) },
		"the snapshot is garbage":    func(t *testing.T, m string) { t.Helper(); garbage(t, one(t, m, "snap/*.snap"), 0, 200) },
		"all is missing but the log": func(t *testing.T, m string) { t.Helper(); remove(t, filepath.Join(m, "snap")) },
		"all files are empty": func(t *testing.T, m string) {
			t.Helper()
			for _, f := range []string{"snap/db", "snap/*.snap", "wal/*.wal"} {
				truncate(t, one(t, m, f), 0)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // one waits for long
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
				t.Fatal(err)
			}
			damage(t, filepath.Join(dir, "etcd", "member"))
			s, err := start(t, dir)
			if err == nil {
				lost, _, err := missing(t, dir)
				if lost > 0 || err != nil {
					t.Errorf("it started without %d keys: %v", lost, err)
				}
				s.end(t)
				return
			}
			t.Logf("refused: %.300s", err)
			if name == "nothing" {
				t.Fatal("it does not start")
			}
			s, err = start(t, dir, "restore")
			if err != nil {
				t.Fatalf("not restored: %v", err)
			}
			defer s.end(t)
			lost, revision, err := missing(t, dir)
			if lost > 0 || err != nil || revision < keys {
				t.Errorf("restored without %d keys, at revision %d: %v", lost, revision, err)
			}
			kept, err := filepath.Glob(filepath.Join(dir, "etcd.before-*"))
			if err != nil || len(kept) != 1 {
				t.Errorf("the damaged data is not kept: %v", kept)
			}
		})
	}
}

// A process that is killed at any moment of its first start leaves what the
// next one can use.
func TestStartsAgainAfterAKillInItsFirstStart(t *testing.T) {
	dir := t.TempDir()
	for n := range 40 {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), child+"="+dir)
		if _, err := c.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Duration(n) * 5 * time.Millisecond)
		_ = c.Process.Kill()
		_ = c.Wait()
		s, err := start(t, dir)
		if err != nil {
			t.Fatalf("killed after %d ms: %v", n*5, err)
		}
		s.end(t)
		remove(t, filepath.Join(dir, "etcd"))
		remove(t, filepath.Join(dir, "etcd.backup")) // a first start has none
	}
}

// Where there is a copy there was data. To start without would replace the copy.
func TestMissingDataBesideACopyIsReported(t *testing.T) {
	dir := t.TempDir()
	s, err := start(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	s.end(t)
	remove(t, filepath.Join(dir, "etcd"))
	if _, err := start(t, dir); err == nil || !strings.Contains(err.Error(), "there is a copy of it") {
		t.Errorf("started: %v", err)
	}
}

func TestDamagedDataNeverBecomesTheCopy(t *testing.T) {
	dir := used(t)
	before, err := os.ReadFile(filepath.Join(dir, "etcd.backup"))
	if err != nil {
		t.Fatal(err)
	}
	// Pages that nobody reads while it starts.
	garbage(t, filepath.Join(dir, "etcd.backup"), 1<<19, 1<<18)
	if _, err := start(t, dir, "restore"); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("a damaged copy was restored: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "etcd.backup"), before, 0o600); err != nil {
		t.Fatal(err)
	}
	remove(t, filepath.Join(dir, "etcd.backup"))
	if _, err := start(t, dir, "restore"); err == nil || !strings.Contains(err.Error(), "there is no copy to restore") {
		t.Errorf("restored from nothing: %v", err)
	}
	s, err := start(t, dir) // what could not be restored is untouched
	if err != nil {
		t.Fatal(err)
	}
	if lost, _, err := missing(t, dir); lost > 0 || err != nil {
		t.Errorf("%d keys are gone: %v", lost, err)
	}
	s.end(t)
}

func one(t *testing.T, member, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(member, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no %s in %s", pattern, member)
	}
	slices.Sort(found)
	return found[len(found)-1]
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func cut(t *testing.T, path string, part int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	truncate(t, path, info.Size()/part/100) // most of it is reserved
}

// tear writes over the last bytes of what was written, as a power cut may.
func tear(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	end := len(bytes.TrimRight(b, "\x00"))
	clear(b[end-20 : end])
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func garbage(t *testing.T, path string, at int64, length int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, length)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	_, err = f.WriteAt(b, at)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}
