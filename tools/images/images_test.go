// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// The smallest program stands for all: they are built alike.
func TestImage(t *testing.T) {
	t.Chdir("..") // as make runs it
	o := options{out: t.TempDir(), prefix: "registry.example.com/ml", version: "v1", arches: []string{runtime.GOARCH}}
	_, digest, err := build(t.Context(), o, "queue")
	if err != nil {
		t.Fatal(err)
	}
	image := read(t, filepath.Join(o.out, "queue"))
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c := config.Config; c.User != nobody || !slices.Equal(c.Entrypoint, []string{"/serin-queue"}) ||
		c.Labels["org.opencontainers.image.version"] != "v1" || config.Architecture != runtime.GOARCH {
		t.Errorf("config %+v for %s", c, config.Architecture)
	}
	files := unpack(t, image)
	help, err := exec.CommandContext(t.Context(), files["serin-queue"], "--help").CombinedOutput()
	if err != nil && !errors.As(err, new(*exec.ExitError)) || !strings.Contains(string(help), "serin-queue") {
		t.Errorf("the program in the image: %v\n%s", err, help)
	}
	var d document
	b, err := os.ReadFile(files["sbom.spdx.json"])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"github.com/serin-dev/serin", "github.com/prometheus/client_golang", "stdlib"} {
		if !slices.ContainsFunc(d.Packages, func(m module) bool { return m.Name == want && m.Version != "" }) {
			t.Errorf("the list of modules has no %s", want)
		}
	}
	if _, again, err := build(t.Context(), o, "queue"); err != nil || again != digest {
		t.Errorf("built again it is %s, %v; first it was %s", again, err, digest)
	}
}

// read returns the only image of a layout, by way of its index.
func read(t *testing.T, dir string) v1.Image {
	t.Helper()
	outer, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := outer.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if name := m.Manifests[0].Annotations["io.containerd.image.name"]; name != "registry.example.com/ml/queue:v1" {
		t.Errorf("it is named %q", name)
	}
	inner, err := outer.ImageIndex(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = inner.IndexManifest(); err != nil {
		t.Fatal(err)
	}
	image, err := inner.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// unpack writes an image's files and returns where they are, by name.
func unpack(t *testing.T, image v1.Image) map[string]string {
	t.Helper()
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v; want one", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	out, dir := map[string]string{}, t.TempDir()
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[h.Name] = filepath.Join(dir, h.Name)
		if err := os.WriteFile(out[h.Name], b, h.FileInfo().Mode()); err != nil {
			t.Fatal(err)
		}
	}
}
