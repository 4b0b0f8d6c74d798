// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os/exec"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// limits bound each process of a container. Zero bounds nothing.
type limits struct {
	data      uint64 // bytes of writable memory that is its own
	file      uint64 // bytes of a file that it writes
	processes uint64 // of this user, from which on it starts no more
}

// Programs reserve more memory than they use: Go 64 MB at a time, others a few
// for each thread and processor. So the limit of a process is above that of its
// container, by this much.
const (
	slack       = 256 << 20
	slackPerCPU = 64 << 20
)

// limitsOf are the limits of a container's processes on a machine of so many
// processors, whose user may have so many processes.
func limitsOf(c *corev1.Container, cpus int, processes uint64) limits {
	l := limits{
		data: bytesOf(c.Resources.Limits[corev1.ResourceMemory]),
		file: bytesOf(c.Resources.Limits[corev1.ResourceEphemeralStorage]),
		// Not all of them, so that the node and the user's shell can still start some.
		processes: processes / 4 * 3,
	}
	if l.data > 0 {
		l.data += slack + uint64(cpus)*slackPerCPU
	}
	return l
}

func bytesOf(q resource.Quantity) uint64 { return uint64(max(q.Value(), 0)) }

// notLimited is what a node of processes cannot do, for who reads the node's events.
const notLimited = "Limits bound each process of a container, not the container: memory at limits.memory and some slack, " +
	"files at limits.ephemeral-storage. Nothing bounds CPU, the memory of all processes together, or the space of all files"

// command is a program to be started within limits.
type command struct {
	*exec.Cmd
	limits limits
}
