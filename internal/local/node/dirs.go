// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// podDir is where all files of one Pod live:
//
//	DIR/pods/UID/volumes/NAME               one directory per volume
//	DIR/pods/UID/containers/NAME/work       the working directory, unless the Pod names one
//	DIR/pods/UID/containers/NAME/message    the termination message
//	DIR/pods/UID/containers/NAME/N.log      the log of its process after N restarts
//	DIR/pods/UID/containers/NAME/process    which process runs: pid and start time
type podDir string

func podDirOf(dir string, uid types.UID) podDir {
	return podDir(filepath.Join(dir, "pods", string(uid)))
}

func (d podDir) volume(name string) string { return filepath.Join(string(d), "volumes", name) }

func (d podDir) container(name string, rest ...string) string {
	return filepath.Join(append([]string{string(d), "containers", name}, rest...)...)
}

func (d podDir) log(name string, restarts int32) string {
	return d.container(name, fmt.Sprintf("%d.log", restarts))
}

// marker returns variables that are in the environment of every process of a container, and of no
// other process. They identify the processes that a container left behind, even after a crash of
// the node.
func (d podDir) marker(container string) []string {
	return []string{
		nodeMarker(filepath.Dir(filepath.Dir(string(d)))),
		"SERIN_POD_UID=" + filepath.Base(string(d)),
		"SERIN_CONTAINER=" + container,
	}
}

// nodeMarker returns the variable that all processes of a node have.
func nodeMarker(dir string) string { return "SERIN_NODE_DIR=" + dir }

// record notes the process of a container for a node that comes after this one.
func (d podDir) record(container string, pid int) error {
	started, err := startTime(pid)
	if err != nil {
		return nil // it has ended already
	}
	return os.WriteFile(d.container(container, "process"), fmt.Appendf(nil, "%d %s\n", pid, started), 0o600)
}

// reap kills the processes that an earlier node in the same directory left running, and returns how
// many process records that node left. It finds the processes by the marker in their environment,
// and those that cleared it by their records: a pid together with its start time is unique.
func reap(dir string) (records int, err error) {
	killMarked([]string{nodeMarker(dir)})
	names, err := filepath.Glob(podDirOf(dir, "*").container("*", "process"))
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if pid, ok := recorded(name); ok {
			killGroup(pid)
		}
		if err := os.Remove(name); err != nil {
			return records, err
		}
		records++
	}
	return records, nil
}

// recorded reads a process record; ok is false when that process is gone.
func recorded(name string) (pid int, ok bool) {
	data, err := os.ReadFile(name)
	if err != nil {
		return 0, false
	}
	first, started, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
	pid, err = strconv.Atoi(first)
	if err != nil || pid <= 1 {
		return 0, false
	}
	is, err := startTime(pid)
	return pid, err == nil && is == started
}

// sweep removes the directories of Pods that keep does not know.
func sweep(dir string, keep map[types.UID]bool) error {
	entries, err := os.ReadDir(filepath.Join(dir, "pods"))
	if os.IsNotExist(err) {
		return nil
	} else if err != nil {
		return err
	}
	for _, e := range entries {
		if !keep[types.UID(e.Name())] {
			if err := os.RemoveAll(filepath.Join(dir, "pods", e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
