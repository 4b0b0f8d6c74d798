// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// nobody is the user of the programs: not root, and in no image's /etc/passwd.
const nobody = "65532:65532"

// epoch is the time of everything in an image, so that the same programs make the same digests.
var epoch = time.Unix(0, 0).UTC()

// part is an image's content for one architecture.
type part struct {
	arch    string
	program string // file
	modules []byte
}

// write writes the layout and its tarball.
func write(o options, name string, parts []part) (size int64, digest string, err error) {
	var all v1.ImageIndex = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range parts {
		image, err := p.image(name, o.version)
		if err != nil {
			return 0, "", err
		}
		layers, err := image.Layers()
		if err != nil {
			return 0, "", err
		}
		n, err := layers[0].Size()
		if err != nil {
			return 0, "", err
		}
		size = max(size, n)
		all = mutate.AppendManifests(all, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "linux", Architecture: p.arch},
		}})
	}
	hash, err := all.Digest()
	if err != nil {
		return 0, "", err
	}
	dir := filepath.Join(o.out, name)
	if err := os.RemoveAll(dir); err != nil {
		return 0, "", err
	}
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		return 0, "", err
	}
	if err := l.AppendIndex(all, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": o.version,
		"io.containerd.image.name":          fmt.Sprintf("%s/%s:%s", o.prefix, name, o.version),
	})); err != nil {
		return 0, "", err
	}
	for _, p := range parts {
		if err := os.WriteFile(filepath.Join(o.out, fmt.Sprintf("%s-%s.spdx.json", name, p.arch)), p.modules, 0o644); err != nil {
			return 0, "", err
		}
	}
	return size, hash.String(), archive(dir)
}

// image is one layer with the program and the list of its modules.
func (p part) image(name, version string) (v1.Image, error) {
	program, err := os.ReadFile(p.program)
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	w := tar.NewWriter(&content)
	for _, f := range []struct {
		name string
		mode int64
		data []byte
	}{{"serin-" + name, 0o755, program}, {"sbom.spdx.json", 0o644, p.modules}} {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data)), ModTime: epoch}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{CreatedBy: "serin", Created: v1.Time{Time: epoch}}}); err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", p.arch, v1.Time{Time: epoch}
	config.Config = v1.Config{
		User:       nobody,
		Entrypoint: []string{"/serin-" + name},
		WorkingDir: "/",
		Labels: map[string]string{
			"org.opencontainers.image.title":    "serin-" + name,
			"org.opencontainers.image.version":  version,
			"org.opencontainers.image.source":   "https://github.com/serin-dev/serin",
			"org.opencontainers.image.licenses": "Apache-2.0",
		},
	}
	return mutate.ConfigFile(image, config)
}

// archive makes DIR.tar of an OCI layout.
func archive(dir string) (err error) {
	f, err := os.Create(dir + ".tar")
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	w := tar.NewWriter(f)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), ModTime: epoch}); err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	return w.Close()
}
