// SPDX-License-Identifier: Apache-2.0

// Package node is a Kubernetes node whose Pods are processes of this machine. It lets a laptop
// run what a cluster runs, with the same API objects, without a container engine and without root.
//
// The node registers itself, watches the Pods bound to it and keeps one worker per Pod. A worker
// is an actor: one goroutine that owns all that is known of its Pod, and that everything else
// (the watch, ending processes, probes, hooks, timers) talks to through its inbox. After every
// batch of news it asks two pure functions what to do and what to tell: decide (which containers
// to start and to stop) and podStatus (what the API should show), and then carries that out:
//
//	watch ---\                                /--> processes (start, signal)
//	exits ----> worker: record -> decide ----+---> pods/status (only what changed)
//	probes --/                                \--> volumes, logs, events
//
// It refuses to be more than that: there is no chroot and no namespace, limits bound single
// processes, and what runs has the rights of the node's user. A volume is a directory of the node, and paths
// below a mount are rewritten wherever the Pod spells them (see mounts). Images are names of
// programs in a table; nothing is ever pulled.
//
// Every Pod has a loopback address of its own, so that two Pods may use the same port. Processes
// die with the node whatever happens to it: the kernel kills them when the thread that started
// them goes, and what survived that (their own children) is found and killed by the next node
// that is started in the same directory.
//
// It works on Linux only; elsewhere Run says so.
package node
