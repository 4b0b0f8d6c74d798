// SPDX-License-Identifier: Apache-2.0

package node

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/prometheus/procfs"
	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/internal/local/node/localhost"
)

// enter gives the programs of the Pod a localhost of their own: all that this thread starts.
func (w *worker) enter() (leave func()) {
	ip, err := netip.ParseAddr(w.ip)
	if err != nil || w.latest.Load().Spec.HostNetwork || w.node.apart != nil {
		return func() {}
	}
	room, err := localhost.Enter(localhost.Addresses{V4: ip, V6: second(ip)}, w.refused)
	if err != nil {
		w.log.Warn(sharedPorts, "because", err)
		return func() {}
	}
	return room.Leave
}

// sharedPorts is the message about Pods without a localhost of their own.
const sharedPorts = "Pods share the ports of all interfaces and of localhost on this machine"

// refused explains to users why a process of the Pod cannot listen. It runs beside the worker.
func (w *worker) refused(process int, network string, at netip.AddrPort) {
	_, name := w.node.container(process)
	why := w.whoHas(network, at)
	if was, _ := w.taken.Swap(name, why); was != why {
		w.event(corev1.EventTypeWarning, "PortTaken", fmt.Sprintf("container %s: %s", name, why))
	}
}

// whoHas returns a sentence about who listens on a port of the Pod, or on that of all interfaces.
func (w *worker) whoHas(network string, at netip.AddrPort) string {
	found := holders(network, func(a netip.AddrPort) bool {
		return a.Port() == at.Port() && (a.Addr() == at.Addr() || a.Addr().IsUnspecified())
	})
	if len(found) == 0 {
		return fmt.Sprintf("port %d is in use", at.Port())
	}
	h := found[0]
	pod, container := w.node.container(h.process)
	switch {
	case pod == w.latest.Load().UID:
		return fmt.Sprintf("port %d is taken by container %s of this Pod", at.Port(), container)
	case pod != "":
		return fmt.Sprintf("port %d is taken by Pod %s", at.Port(), w.node.podName(pod))
	}
	return fmt.Sprintf("port %d is taken by %s, which listens on all interfaces of this machine", at.Port(), h)
}

// String names a process that is of no Pod.
func (h holder) String() string {
	if h.process == 0 {
		return "a program of another user"
	}
	name := "a program"
	if p, err := procfs.NewProc(h.process); err == nil {
		comm, _ := p.Comm()
		name = cmp.Or(comm, name)
	}
	return fmt.Sprintf("%s (process %d)", name, h.process)
}

// portTaken returns why a container that failed could not listen, or "".
func (w *worker) portTaken(name string, r *instance) string {
	if !r.log.inUse {
		return "" // it may have tried another port, and ended for another reason
	}
	if why, ok := w.taken.Load(name); ok {
		return fmt.Sprint(why)
	}
	if w.node.apart == nil {
		return ""
	}
	// The log says only that some port is in use.
	var others []string
	for _, h := range holders("tcp", func(a netip.AddrPort) bool { return a.Addr().IsUnspecified() || a.Addr().IsLoopback() }) {
		pod, _ := w.node.container(h.process)
		if pod != "" && pod != w.latest.Load().UID && (h.at.Addr().IsUnspecified() || h.at.Addr().String() == hostAddress) {
			others = append(others, fmt.Sprintf("%d by Pod %s", h.at.Port(), w.node.podName(pod)))
		}
	}
	slices.Sort(others)
	why := fmt.Sprintf("a port is in use, and %s (%v)", sharedPorts, w.node.apart)
	if len(others) > 0 {
		why += ": it has " + strings.Join(slices.Compact(others), ", ")
	}
	return why + ". Let the program listen on $(POD_IP), or on another port"
}
