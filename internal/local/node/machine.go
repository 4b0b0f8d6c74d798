// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os"
	"strconv"
	"strings"
)

// host describes the machine.
type host struct {
	kernel, system string
	id, boot       string
	memory, disk   int64 // bytes
}

// machine reads the description from Linux; fields that it cannot read stay empty.
func machine() host {
	h := host{
		kernel: line("/proc/sys/kernel/osrelease"),
		id:     line("/etc/machine-id"),
		boot:   line("/proc/sys/kernel/random/boot_id"),
		disk:   diskSize("/"),
	}
	for l := range strings.Lines(text("/etc/os-release")) {
		if name, ok := strings.CutPrefix(l, "PRETTY_NAME="); ok {
			h.system = strings.Trim(strings.TrimSpace(name), `"`)
		}
	}
	for l := range strings.Lines(text("/proc/meminfo")) {
		if f := strings.Fields(l); len(f) == 3 && f[0] == "MemTotal:" {
			kib, _ := strconv.ParseInt(f[1], 10, 64)
			h.memory = kib << 10
		}
	}
	return h
}

func text(name string) string {
	data, _ := os.ReadFile(name)
	return string(data)
}

func line(name string) string { return strings.TrimSpace(text(name)) }
