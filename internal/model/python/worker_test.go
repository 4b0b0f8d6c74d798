// SPDX-License-Identifier: Apache-2.0

package python

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/testkit/eventually"
)

// The test binary stands in for a Python whose worker answers each row's sum.
const fakeVariable = "SERIN_FAKE_WORKER"

func TestMain(m *testing.M) {
	if how := os.Getenv(fakeVariable); how != "" {
		os.Exit(fake(how))
	}
	os.Exit(m.Run())
}

// fake is a worker. A request whose first value is negative is answered when the file
// "go on" appears in the model's folder.
func fake(how string) int {
	folder := os.Args[len(os.Args)-2]
	conn, err := net.FileConn(os.NewFile(3, "server"))
	if err != nil {
		return 3
	}
	if how == "dies" {
		return 4
	}
	hello := greeting{Class: "Sum", Proba: how == "proba", Width: 2}
	if how == "refuses" {
		hello = greeting{Error: "it is broken"}
	}
	if write(conn, hello, nil) != nil {
		return 5
	}
	var m message
	for {
		var q question
		body, err := m.read(conn, &q)
		if err != nil {
			return 0
		}
		if how == "leaves" {
			_ = conn.Close()
			return 7
		}
		if how == "babbles" {
			_, _ = conn.Write(slices.Repeat([]byte("junk"), 10))
			continue
		}
		x := numbers(body)
		if x[0] < 0 {
			for {
				if _, err := os.Stat(filepath.Join(folder, "go on")); err == nil {
					break
				}
			}
		}
		r := reply{Type: "float64", Rows: q.Rows, Width: 1, Flat: true}
		if how == "lies" {
			r.Rows++
		}
		sums := make([]float64, q.Rows)
		for i := range sums {
			for _, v := range x[i*q.Cols : (i+1)*q.Cols] {
				sums[i] += v
			}
		}
		if write(conn, r, sums) != nil {
			return 6
		}
	}
}

func write(w io.Writer, head any, values []float64) error {
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	_, err = w.Write(packed(text, values))
	return err
}

func cfgFor(t *testing.T, how string) (Config, func() error) {
	t.Helper()
	t.Setenv(fakeVariable, how)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "m.pkl"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var failed error
	cfg := Config{
		Program: os.Args[0], Dir: dir, Progress: func(string) {}, Log: slog.New(slog.DiscardHandler),
		Fail: func(err error) { mu.Lock(); defer mu.Unlock(); failed = err },
	}
	return cfg, func() error { mu.Lock(); defer mu.Unlock(); return failed }
}

func startFake(t *testing.T, how string) (*Model, func() error) {
	t.Helper()
	cfg, failed := cfgFor(t, how)
	m, err := start(t.Context(), cfg, cfg.Program, folder{kind: pickled, file: "m.pkl"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m, failed
}

func TestWorkersAnswer(t *testing.T) {
	m, failed := startFake(t, "sums")
	if m.Class() != "Sum" || m.Schema().Width != 2 || !m.Schema().Open {
		t.Errorf("class %s, schema %+v", m.Class(), m.Schema())
	}
	const rows = 100_000 // more than a socket holds
	x := frame.Dense(rows, 2, make([]float64, 2*rows))
	for i := range x.Data {
		x.Data[i] = float64(i)
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			var r frame.Result
			if err := m.Predict(nil, frame.Predict, &r, x); err != nil || r.Rows != rows || r.Values[rows-1] != 4*rows-3 {
				t.Errorf("%v, %d rows", err, r.Rows)
			}
		})
	}
	wait.Wait()
	if err := m.Close(); err != nil || failed() != nil {
		t.Errorf("%v, %v", err, failed())
	}
}

func TestStoppedRequestEndsAtOnceAndTheNextWaitsForTheWorker(t *testing.T) {
	m, _ := startFake(t, "sums")
	gone := errors.New("the client is gone")
	var r frame.Result
	if err := m.Predict(func() error { return gone }, frame.Predict, &r, frame.Dense(1, 2, []float64{-1, 2})); !errors.Is(err, gone) {
		t.Fatal(err)
	}
	if err := m.Predict(func() error { return gone }, frame.Predict, &r, frame.Dense(1, 2, []float64{3, 4})); !errors.Is(err, gone) {
		t.Errorf("the worker has not answered yet: %v", err)
	}
	if err := os.WriteFile(filepath.Join(m.workers[0].cmd.Args[len(m.workers[0].cmd.Args)-2], "go on"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.Predict(nil, frame.Predict, &r, frame.Dense(1, 2, []float64{3, 4})); err != nil || r.Values[0] != 7 {
		t.Errorf("%v, %v", err, r.Values)
	}
}

func TestKilledWorkerFailsItsRequestsAndTheServer(t *testing.T) {
	m, failed := startFake(t, "sums")
	answer := make(chan error)
	go func() {
		var r frame.Result
		answer <- m.Predict(nil, frame.Predict, &r, frame.Dense(1, 2, []float64{-1, 2}))
	}()
	eventually.Holds(t, func(context.Context) (any, bool) { return len(m.free), len(m.free) == 0 })
	if err := m.workers[0].cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	const want = "the model's Python process ended: signal: killed: it may have needed more memory than there is"
	if err := <-answer; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	eventually.Holds(t, func(context.Context) (any, bool) { return failed(), failed() != nil && failed().Error() == want })
	var r frame.Result
	if err := m.Predict(nil, frame.Predict, &r, frame.Dense(1, 1, []float64{1})); err == nil {
		t.Error("a dead worker answers")
	}
}

func TestWorkerThatLiesIsEnded(t *testing.T) {
	m, failed := startFake(t, "lies")
	var r frame.Result
	if err := m.Predict(nil, frame.Predict, &r, frame.Dense(1, 1, []float64{1})); !errors.Is(err, errShape) {
		t.Error(err)
	}
	eventually.Holds(t, func(context.Context) (any, bool) { return failed(), failed() != nil })
}

func TestFailureNamesWhatTheWorkerDid(t *testing.T) {
	for how, want := range map[string]string{
		"leaves":  "the model's Python process ended: exit status 7",
		"babbles": "the model's Python process was ended: the worker sends ",
		"lies":    "the model's Python process was ended: " + errShape.Error(),
	} {
		m, failed := startFake(t, how)
		var r frame.Result
		if err := m.Predict(nil, frame.Predict, &r, frame.Dense(1, 1, []float64{1})); err == nil {
			t.Errorf("%s: it answers", how)
		}
		eventually.Holds(t, func(context.Context) (any, bool) { return failed(), failed() != nil })
		if !strings.HasPrefix(failed().Error(), want) {
			t.Errorf("%s: %v, want %s", how, failed(), want)
		}
	}
}

func TestModelsThatDoNotLoadSayWhy(t *testing.T) {
	for how, want := range map[string]string{
		"refuses": "load m.pkl: it is broken",
		"dies":    "load m.pkl: the model's Python process ended: exit status 4",
	} {
		cfg, _ := cfgFor(t, how)
		if _, err := start(t.Context(), cfg, cfg.Program, folder{kind: pickled, file: "m.pkl"}); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", how, err, want)
		}
	}
}

func numbers(body []byte) []float64 {
	var r frame.Result
	h := reply{Type: "float64", Rows: len(body) / 8, Width: 1, Flat: true}
	if err := h.into(&r, body); err != nil {
		return []float64{math.NaN()}
	}
	return r.Values
}

func TestWhatLiesInAFolder(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  folder
		fails string
	}{
		"a pickle":        {map[string]string{"a.pkl": "", "requirements.txt": "numpy\n"}, folder{kind: pickled, file: "a.pkl", requirements: "numpy\n"}, ""},
		"skops":           {map[string]string{"a.skops": ""}, folder{kind: skops, file: "a.skops"}, ""},
		"MLflow":          {map[string]string{"MLmodel": "", "model.pkl": "", "python_env.yaml": "python: 3.11.5\n"}, folder{kind: mlflow, file: "MLmodel", python: "3.11"}, ""},
		"a module":        {map[string]string{"model.py": "def load(folder): pass", "weights.pkl": ""}, folder{kind: module, file: "model.py"}, ""},
		"KServe's server": {map[string]string{"model.py": "import os\nfrom kserve import Model\n"}, folder{kind: ownServer, file: "model.py"}, ""},
		"with a flag":     {map[string]string{"model.py": "import kserve\np.add_argument('--model_dir')"}, folder{kind: ownServer, file: "model.py", wantsDir: true}, ""},
		"packages":        {map[string]string{"a.pkl": "", "wheels/a.whl": ""}, folder{kind: pickled, file: "a.pkl", wheels: true}, ""},
		"two":             {map[string]string{"a.pkl": "", "b.joblib": ""}, folder{}, "2 model files in the model folder"},
		"none":            {map[string]string{"a.json": ""}, folder{}, "no model in the model folder"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := look(files(t, test.files))
			if test.fails != "" {
				if err == nil || !strings.HasPrefix(err.Error(), test.fails) {
					t.Errorf("%v, want %s", err, test.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(folder{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// files makes a folder.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func packed(head []byte, values []float64) []byte {
	x := frame.Dense(len(values), 1, values)
	data, _ := appendRequest(nil, frame.Predict, &x)
	n := int(data[0]) | int(data[1])<<8
	return slices.Concat([]byte{byte(len(head)), byte(len(head) >> 8), 0, 0}, data[4:prefixSize], head, data[prefixSize+n:])
}
