// SPDX-License-Identifier: Apache-2.0

package node

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// program returns the program of a container. A command wins over the image, as in any
// cluster, but it has to be an absolute path on this machine: there is no image to search. exists
// reports whether an absolute path can be run.
func program(image string, command []string, programs map[string]string, exists func(string) bool) (argv []string, err error) {
	if len(command) > 0 {
		if filepath.IsAbs(command[0]) && exists(command[0]) {
			return command, nil
		}
		return nil, fmt.Errorf("this node runs processes, not images: %q is not the absolute path of a program on this machine; "+
			"give the container such a command, for example /bin/sh", command[0])
	}
	if p, ok := programs[repository(image)]; ok {
		return []string{p}, nil
	}
	known := strings.Join(slices.Sorted(maps.Keys(programs)), ", ")
	return nil, fmt.Errorf("this node runs processes, not images: it has no program for image %q, only for %s; "+
		"give the container the absolute path of a program on this machine as its command", image, cmp.Or(known, "none"))
}

// repository is an image's name without registry, tag and digest.
func repository(image string) string {
	name, _, _ := strings.Cut(image, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name = name[:i]
	}
	if host, rest, ok := strings.Cut(name, "/"); ok && (strings.ContainsAny(host, ".:") || host == "localhost") {
		return rest
	}
	return name
}
