// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// payload is the content of a volume that is made of API objects, by path.
type payload map[string]payloadFile

type payloadFile struct {
	data []byte
	mode os.FileMode
}

// write makes dir hold exactly the payload. Readers see the old files or the new ones, never a
// mixture: this is Kubernetes' atomic writer, in which each file is a link through the link ..data,
// and one rename of ..data replaces them all.
//
//	config.yaml -> ..data/config.yaml
//	..data      -> ..1234
//	..1234/config.yaml
func (p payload) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(dir, "..")
	if err != nil {
		return err
	}
	if err := p.fill(fresh); err != nil {
		return err
	}
	data := filepath.Join(dir, "..data")
	old, _ := os.Readlink(data)
	link := data + "_tmp"
	_ = os.Remove(link)
	if err := os.Symlink(filepath.Base(fresh), link); err != nil {
		return err
	}
	if err := os.Rename(link, data); err != nil {
		return err
	}
	if err := p.expose(dir); err != nil {
		return err
	}
	if old == "" {
		return nil
	}
	return os.RemoveAll(filepath.Join(dir, filepath.Base(old)))
}

func (p payload) fill(dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for name, f := range p {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.data, 0o600); err != nil {
			return err
		}
		if err := os.Chmod(path, f.mode); err != nil {
			return err
		}
	}
	return nil
}

// expose makes a link for each name at the top, and removes those of names that are gone.
func (p payload) expose(dir string) error {
	wanted := map[string]bool{}
	for name := range p {
		top, _, _ := strings.Cut(name, "/")
		wanted[top] = true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), ".."):
		case wanted[e.Name()]:
			delete(wanted, e.Name())
		default:
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	for top := range wanted {
		if err := os.Symlink(filepath.Join("..data", top), filepath.Join(dir, top)); err != nil {
			return err
		}
	}
	return nil
}

// add takes the entries that items select from data, or all of them when there are no items.
func (p payload) add(what string, data map[string][]byte, items []corev1.KeyToPath, mode *int32, optional *bool) error {
	if len(items) == 0 {
		for key, value := range data {
			p[key] = payloadFile{value, fileMode(nil, mode)}
		}
	}
	for _, item := range items {
		value, ok := data[item.Key]
		if !ok && optional != nil && *optional {
			continue
		} else if !ok {
			return fmt.Errorf("%s has no key %q", what, item.Key)
		}
		p[item.Path] = payloadFile{value, fileMode(item.Mode, mode)}
	}
	return nil
}

func (p payload) addConfigMap(src source, name string, items []corev1.KeyToPath, mode *int32, optional *bool) error {
	cm, err := src.configMap(name)
	if absent(err, optional) {
		return nil
	} else if err != nil {
		return err
	}
	data := map[string][]byte{}
	for k, value := range cm.Data {
		data[k] = []byte(value)
	}
	maps.Copy(data, cm.BinaryData)
	return p.add(fmt.Sprintf("config map %q", name), data, items, mode, optional)
}

func (p payload) addSecret(src source, name string, items []corev1.KeyToPath, mode *int32, optional *bool) error {
	secret, err := src.secret(name)
	if absent(err, optional) {
		return nil
	} else if err != nil {
		return err
	}
	return p.add(fmt.Sprintf("secret %q", name), secret.Data, items, mode, optional)
}

func (p payload) addDownward(pod *corev1.Pod, items []corev1.DownwardAPIVolumeFile, mode *int32, capacity corev1.ResourceList) error {
	for _, item := range items {
		var value string
		var err error
		if item.FieldRef != nil {
			value, err = fieldValue(pod, item.FieldRef.FieldPath)
		} else if item.ResourceFieldRef != nil {
			value, err = resourceValue(pod, "", item.ResourceFieldRef, capacity)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", item.Path, err)
		}
		p[item.Path] = payloadFile{[]byte(value), fileMode(item.Mode, mode)}
	}
	return nil
}

func fileMode(item, volume *int32) os.FileMode {
	switch {
	case item != nil:
		return os.FileMode(*item).Perm()
	case volume != nil:
		return os.FileMode(*volume).Perm()
	}
	return 0o644
}
