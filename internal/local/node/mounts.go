// SPDX-License-Identifier: Apache-2.0

package node

import (
	"path"
	"path/filepath"
	"strings"
)

// mount maps a path in the container to a path of this machine.
type mount struct {
	container string // absolute and clean
	host      string
}

// mounts rewrites container paths to paths of this machine. Processes see the machine's own file
// system, so a path below a mount has to be replaced wherever the Pod spells it: in command,
// arguments, environment values, working directory, probes and hooks.
type mounts []mount

// rewrite replaces every mounted path in s. A path counts only as a whole: /mnt/models is found
// in "--dir=/mnt/models/a" and in "file:///mnt/models", but not in "/mnt/models2", in
// "/old/mnt/models" or in "https://host/mnt/models". The longest mount wins.
func (m mounts) rewrite(s string) string {
	var out strings.Builder
	done := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '/' || !startsPath(s[:i]) {
			continue
		}
		best, ok := m.longest(s[i:])
		if !ok {
			continue
		}
		out.WriteString(s[done:i])
		out.WriteString(best.host)
		done = i + len(best.container)
		i = done - 1
	}
	return out.String() + s[done:]
}

// rewriteAll is rewrite for every element of a list.
func (m mounts) rewriteAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = m.rewrite(s)
	}
	return out
}

// resolve maps a single container path; one that no mount covers stays as it is.
func (m mounts) resolve(p string) string {
	p = path.Clean(p)
	best, ok := m.longest(p)
	if !ok {
		return p
	}
	return filepath.Join(best.host, p[len(best.container):])
}

// longest finds the deepest mount that s begins with. A mount at / is left alone: it would turn
// every path of the machine into one of the volume.
func (m mounts) longest(s string) (mount, bool) {
	var best mount
	for _, c := range m {
		if c.container == "/" || len(c.container) <= len(best.container) || !strings.HasPrefix(s, c.container) {
			continue
		}
		if rest := s[len(c.container):]; rest == "" || !inElement(rest[0]) {
			best = c
		}
	}
	return best, best.container != ""
}

// startsPath reports whether a slash after before begins an absolute path.
func startsPath(before string) bool {
	if before == "" || strings.HasSuffix(before, "file://") {
		return true
	}
	last := before[len(before)-1]
	return last != '/' && !inElement(last)
}

// inElement reports whether c continues a path element, so that the name before it is only a part.
func inElement(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c >= 0x80:
		return true
	}
	return strings.IndexByte("_-.~%+@", c) >= 0
}
