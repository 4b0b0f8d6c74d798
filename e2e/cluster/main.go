// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command cluster is a real Kubernetes cluster on this machine, for tests: a
// control plane and two nodes, each with its own kernel namespaces, addresses,
// containerd, kubelet, kube-proxy and kube-router (which enforces network
// policies), and DNS for the names of Services.
//
//	                    bridge serin0, 10.99.0.1: etcd, kube-apiserver, controllers, scheduler, DNS
//	node1, 10.99.0.11 ──┤   Pods 10.98.1.0/24 behind bridge cni0
//	node2, 10.99.0.12 ──┘   Pods 10.98.2.0/24
//
// It needs root, and from the distribution containerd, runc, the CNI plugins,
// iptables and ipset. Kubernetes' own programs are in this one, each under its name.
// Everything lies in one directory, and in namespaces that end with their
// processes, so `cluster down` leaves nothing behind.
//
//	cluster check          can this machine do it? If not, one line says why
//	cluster install        installs what it needs, where there is apt-get
//	cluster up             starts it in the background, and waits until its nodes are ready
//	cluster load TAR...    gives images to both nodes
//	cluster kill NODE      cuts a node's power
//	cluster boot           starts nodes that were killed
//	cluster down           ends it
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubeadm "k8s.io/kubernetes/cmd/kubeadm/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// Children die with the thread that started them, so that is the main one.
func init() { runtime.LockOSThread() }

func main() {
	name := ""
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	if component, ok := components[name]; ok {
		os.Args = slices.Delete(os.Args, 0, 1) // it finds its flags after its name
		component()
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := cluster{dir: cmp.Or(os.Getenv("SERIN_CLUSTER_DIR"), "/var/tmp/serin-cluster")}
	command, ok := map[string]func(context.Context, ...string) error{
		"check":   func(context.Context, ...string) error { return possible() },
		"install": install,
		"up":      c.up,
		"run":     c.run,
		"node":    c.node,
		"load":    c.load,
		"kill":    c.kill,
		"boot":    c.boot,
		"down":    c.down,
	}[name]
	if !ok {
		exit(fmt.Errorf("say check, install, up, load, kill, boot or down, not %q", name))
	}
	exit(command(ctx, os.Args[2:]...))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// components are programs of Kubernetes.
var components = map[string]func(){
	"etcd":                    func() { etcdmain.Main(os.Args) },
	"kube-apiserver":          func() { os.Exit(cli.Run(apiserver.NewAPIServerCommand())) },
	"kube-controller-manager": func() { os.Exit(cli.Run(controllers.NewControllerManagerCommand())) },
	"kube-scheduler":          func() { os.Exit(cli.Run(scheduler.NewSchedulerCommand())) },
	"kubelet":                 func() { os.Exit(cli.Run(kubelet.NewKubeletCommand(context.Background()))) },
	"kube-proxy":              func() { os.Exit(cli.Run(proxy.NewProxyCommand())) },
	"kubeadm":                 func() { exit(kubeadm.Run()) },
}
