// SPDX-License-Identifier: Apache-2.0

// Package node is a Kubernetes node whose Pods are processes of this machine. It lets a laptop
// run what a cluster runs, with the same API objects, without a container engine and without root.
//
// The node registers itself, watches the Pods bound to it and keeps one worker per Pod. A worker
// is an actor: one goroutine owns the state of its Pod, and everything else (the watch, ending
// processes, probes, hooks, timers) reaches it through its inbox. After every batch of messages the
// worker calls two pure functions, decide (which containers to start and to stop) and podStatus
// (what the API should show), and carries out what they return:
//
//	watch ---\                                /--> processes (start, signal)
//	exits ----> worker: record -> decide ----+---> pods/status (only what changed)
//	probes --/                                \--> volumes, logs, events
//
// It isolates nothing: there is no chroot and no namespace, limits bound single processes, and
// processes have the rights of the node's user. A volume is a directory of the node, and paths
// below a mount are rewritten wherever the Pod spells them (see mounts). Images are names of
// programs in a table; nothing is ever pulled.
//
// Every Pod has a loopback address of its own, so that two Pods may use the same port. A thread for
// each Pod starts its processes, in a room of package localhost: those that listen on all interfaces
// get that address. Processes die with the node, even after kill -9: the kernel kills them when the
// thread that started them ends (PR_SET_PDEATHSIG). The next node in the same directory finds and kills
// their children, which survive that.
//
// It works on Linux only; elsewhere Run returns an error.
package node
