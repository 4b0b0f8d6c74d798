// SPDX-License-Identifier: Apache-2.0

// Package manifest reads the YAML files that are embedded in Serin's programs. It
// does not interpret the objects in them.
package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Read returns the objects of a tree's YAML files, in the order of their names.
func Read(tree fs.FS) (objects []*unstructured.Unstructured, err error) {
	err = fs.WalkDir(tree, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		file, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		for d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(file), 4096); ; {
			o := &unstructured.Unstructured{}
			switch err := d.Decode(o); {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return fmt.Errorf("decode %s: %w", path, err)
			case o.Object != nil:
				objects = append(objects, o)
			}
		}
	})
	return objects, err
}
