// SPDX-License-Identifier: Apache-2.0

package node

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRepositoryDropsRegistryTagAndDigest(t *testing.T) {
	for in, want := range map[string]string{
		"serin/fetch":                         "serin/fetch",
		"serin/fetch:v1":                      "serin/fetch",
		"ghcr.io/serin/fetch:v1":              "serin/fetch",
		"localhost/serin/fetch":               "serin/fetch",
		"localhost:5000/serin/fetch":          "serin/fetch",
		"docker.io/serin/fetch@sha256:abc":    "serin/fetch",
		"ghcr.io/serin/fetch:v1@sha256:abc":   "serin/fetch",
		"busybox":                             "busybox",
		"registry:5000/a/b/c":                 "a/b/c",
		"kserve/sklearnserver:v0.17":          "kserve/sklearnserver",
		"example.com:443/deep/serin/fetch:v2": "deep/serin/fetch",
	} {
		if got := repository(in); got != want {
			t.Errorf("repository(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestProgramIsFoundOrTheReasonIsOneSentence(t *testing.T) {
	programs := map[string]string{"serin/queue": "/opt/serin-queue", "serin/fetch": "/opt/serin-fetch"}
	exists := func(p string) bool { return p == "/bin/sh" }
	for name, c := range map[string]struct {
		image   string
		command []string
		want    []string
		err     string
	}{
		"an image of the table": {image: "ghcr.io/serin/queue:v1", want: []string{"/opt/serin-queue"}},
		"a command of this machine wins over the image": {
			image: "serin/queue", command: []string{"/bin/sh", "-c", "true"}, want: []string{"/bin/sh", "-c", "true"},
		},
		"an unknown image": {
			image: "busybox:1.36",
			err: `this node runs processes, not images: it has no program for image "busybox:1.36", only for serin/fetch, serin/queue; ` +
				`give the container the absolute path of a program on this machine as its command`,
		},
		"a command that is not absolute": {
			image: "busybox", command: []string{"sh"},
			err: `this node runs processes, not images: "sh" is not the absolute path of a program on this machine; ` +
				`give the container such a command, for example /bin/sh`,
		},
		"a command that does not exist": {
			image: "busybox", command: []string{"/app/server"},
			err: `this node runs processes, not images: "/app/server" is not the absolute path of a program on this machine; ` +
				`give the container such a command, for example /bin/sh`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := program(c.image, c.command, programs, exists)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if msg := errorText(err); msg != c.err {
				t.Errorf("error %q, want %q", msg, c.err)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
