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
	processes uint64 // of this user together; beyond it fork fails
}

// slack is added to a container's memory limit, because RLIMIT_DATA counts
// memory that is reserved and not only what is used: Go reserves 64 MB at a
// time, other programs some for each thread and processor.
const (
	slack       = 256 << 20
	slackPerCPU = 64 << 20
)

// limitsOf returns the limits of a container's processes, given the machine's
// number of processors and the number of processes that its user may have.
func limitsOf(c *corev1.Container, cpus int, processes uint64) limits {
	l := limits{
		data: bytesOf(c.Resources.Limits[corev1.ResourceMemory]),
		file: bytesOf(c.Resources.Limits[corev1.ResourceEphemeralStorage]),
		// A quarter is left for the node and the user's shell.
		processes: processes / 4 * 3,
	}
	if l.data > 0 {
		l.data += slack + uint64(cpus)*slackPerCPU
	}
	return l
}

func bytesOf(q resource.Quantity) uint64 { return uint64(max(q.Value(), 0)) }

// notLimited is the message of the node's event about limits that it does not enforce.
const notLimited = "Limits bound each process of a container, not the container: memory at limits.memory and some slack, " +
	"files at limits.ephemeral-storage. Nothing bounds CPU, the memory of all processes together, or the space of all files"

// command is a program to be started within limits.
type command struct {
	*exec.Cmd
	limits limits
}
