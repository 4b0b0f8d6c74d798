// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/api/v1beta1"
)

// podEnv adds the variables of a model Pod, and returns the file for its termination message.
func podEnv(t *testing.T, cmd *exec.Cmd, digest string) (message string) {
	t.Helper()
	message = filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(message, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		v1beta1.EnvModelDigest: digest, v1beta1.EnvRevision: "iris-predictor-00001", v1beta1.EnvService: "iris", v1beta1.EnvTerminationLog: message,
	} {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return message
}

// fetchFor runs serin-fetch and returns its exit code, what it reports and the last line of its log.
func fetchFor(t *testing.T, digest string, args ...string) (code int, report, line string) {
	t.Helper()
	cmd, stderr := serinFetch(t, args...)
	message := podEnv(t, cmd, digest)
	_ = cmd.Run()
	got, err := os.ReadFile(message)
	if err != nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(got), lastLine(stderr.String())
}

func write(t *testing.T, content string) string {
	t.Helper()
	model := filepath.Join(t.TempDir(), "model.joblib")
	if err := os.WriteFile(model, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return model
}

func TestDigestIsTheTerminationMessage(t *testing.T) {
	model := write(t, "one")
	_, digest, _ := fetchFor(t, "", model, t.TempDir())
	if !v1beta1.IsModelDigest(digest) {
		t.Fatalf("the message is %q", digest)
	}
	if code, same, _ := fetchFor(t, digest, model, t.TempDir()); code != 0 || same != digest {
		t.Errorf("exit %d, digest %s, want %s", code, same, digest)
	}
	if err := os.WriteFile(model, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, other, _ := fetchFor(t, "", model, t.TempDir())
	code, report, line := fetchFor(t, digest, model, t.TempDir())
	want := "the model at " + model + " is not the one that revision iris-predictor-00001 was made of: it has digest " + other +
		" now, and had " + digest + "; `serin rollout refresh iris` makes a new revision of it"
	if code != v1beta1.ExitOtherModel || report != "" || line != want {
		t.Errorf("exit %d, want %d; report %q\ngot  %s\nwant %s", code, v1beta1.ExitOtherModel, report, line, want)
	}
	for _, c := range []struct {
		digest, want string
		args         []string
	}{
		{"sha256:1", `serin-fetch: SERIN_MODEL_DIGEST "sha256:1": must be "sha256:" and 64 hexadecimal digits`, []string{model, t.TempDir()}},
		{digest, "serin-fetch: SERIN_MODEL_DIGEST is the digest of one model: name one source and one folder", []string{model, t.TempDir(), model, t.TempDir()}},
	} {
		if code, report, line := fetchFor(t, c.digest, c.args...); code != 2 || report != "" || line != c.want {
			t.Errorf("exit %d, report %q\ngot  %s\nwant %s", code, report, line, c.want)
		}
	}
}

// The folder of a Pod is for its model alone. A folder that somebody names by hand is not.
func TestOnlyThePodsFolderIsEmptied(t *testing.T) {
	for _, revision := range []string{"", "iris-predictor-00001"} {
		dest := t.TempDir()
		if err := os.WriteFile(filepath.Join(dest, "before"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		model := write(t, "one")
		cmd, stderr := serinFetch(t, model, dest)
		cmd.Env = append(cmd.Env, v1beta1.EnvRevision+"="+revision)
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		want := []string{"before", filepath.Base(model)}
		if revision != "" {
			want = want[1:]
		}
		if diff := cmp.Diff(want, visible(t, dest)); diff != "" {
			t.Errorf("revision %q (-want +got):\n%s", revision, diff)
		}
	}
}

func TestModelIsInPlaceWithoutAReport(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{"no file": filepath.Join(dir, "none"), "a folder": dir} {
		cmd, stderr := serinFetch(t, write(t, "one"), t.TempDir())
		cmd.Env = append(cmd.Env, v1beta1.EnvTerminationLog+"="+path)
		if err := cmd.Run(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, stderr)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left %v (%v)", left, err)
	}
}

// A kill at any time leaves the cache and the target in order: what is delivered later is the whole
// model of the digest, or nothing.
func TestKilledFetchForADigest(t *testing.T) {
	files := map[string]string{}
	dir, cacheDir, dest := t.TempDir(), t.TempDir(), t.TempDir()
	for _, name := range []string{"a", "b", "c", "d"} {
		files[name] = strings.Repeat(name, 1<<20)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(files[name]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, digest, _ := fetchFor(t, "", dir, t.TempDir())
	args := []string{"--cache-dir", cacheDir, dir, dest}
	for _, until := range []string{"locks", "tmp", "blobs", "index", "models"} { // in the order in which they are filled
		cmd, _ := serinFetch(t, args...)
		podEnv(t, cmd, digest)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { defer close(ended); _ = cmd.Wait() }()
		for running := true; running; {
			select {
			case <-ended:
				running = false
			default:
				if left, _ := filepath.Glob(filepath.Join(cacheDir, until, "*")); len(left) > 0 {
					_ = cmd.Process.Kill()
					<-ended
					running = false
				}
			}
		}
	}
	code, report, line := fetchFor(t, digest, args...)
	if code != 0 || report != digest {
		t.Fatalf("exit %d, digest %s, want %s: %s", code, report, digest, line)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	last := t.TempDir()
	if code, report, line := fetchFor(t, digest, "--cache-dir", cacheDir, dir, last); code != 0 || report != digest {
		t.Fatalf("exit %d, digest %s, want %s: %s", code, report, digest, line)
	}
	for _, folder := range []string{dest, last} {
		for name, want := range files {
			if got, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(got) != want {
				t.Errorf("%s: %d bytes (%v), want %d", name, len(got), err, len(want))
			}
		}
	}
}
