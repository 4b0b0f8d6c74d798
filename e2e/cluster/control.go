// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-base/version"
)

// Addresses of the cluster. They exist only on its own bridge, so fixed ports
// cannot collide with those of other programs.
const (
	bridge     = "serin0"
	hostIP     = "10.99.0.1"
	hostNet    = hostIP + "/24"
	apiPort    = "6443"
	podNet     = "10.98.0.0/16"
	serviceNet = "10.96.0.0/16"
	dnsDomain  = "cluster.local"
)

const startTimeout = 2 * time.Minute

// cluster is the directory of one.
type cluster struct{ dir string }

func (c cluster) path(name ...string) string {
	return filepath.Join(append([]string{c.dir}, name...)...)
}

func (c cluster) kubeconfig() string { return c.path("super-admin.conf") }

// certificates lets kubeadm make all keys, certificates and kubeconfigs.
func (c cluster) certificates(ctx context.Context) error {
	config := fmt.Sprintf(`apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
clusterName: serin-cluster
kubernetesVersion: %s
certificatesDir: %s
controlPlaneEndpoint: %s:%s
networking: {serviceSubnet: %s, podSubnet: %s, dnsDomain: %s}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: %[3]s, bindPort: %[4]s}
nodeRegistration: {name: control-plane, criSocket: "unix:///run/containerd/containerd.sock"}
`, version.Get().GitVersion, c.path("pki"), hostIP, apiPort, serviceNet, podNet, dnsDomain)
	file := c.path("kubeadm.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"init", "phase", "certs", "all", "--config", file},
		{"init", "phase", "kubeconfig", "super-admin", "--config", file, "--kubeconfig-dir", c.dir},
		{"init", "phase", "kubeconfig", "controller-manager", "--config", file, "--kubeconfig-dir", c.dir},
		{"init", "phase", "kubeconfig", "scheduler", "--config", file, "--kubeconfig-dir", c.dir},
	} {
		if _, err := output(ctx, self(), append([]string{"kubeadm"}, args...)...); err != nil {
			return err
		}
	}
	users := map[string][]string{"kube-proxy": {"system:kube-proxy"}, "kube-router": {"kube-router", "--org", "system:masters"}}
	for _, n := range nodes {
		users[n.name] = []string{"system:node:" + n.name, "--org", "system:nodes"}
	}
	for name, client := range users {
		args := append([]string{"kubeadm", "kubeconfig", "user", "--config", file, "--client-name"}, client...)
		kubeconfig, err := output(ctx, self(), args...)
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.path(name+".conf"), kubeconfig, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// controlPlane starts etcd and the control plane, and waits until the API answers.
func (c cluster) controlPlane(ctx context.Context) (*group, error) {
	g := &group{ended: make(chan error, 10)}
	pki := func(name string) string { return c.path("pki", name) }
	etcd := "https://" + hostIP + ":2379"
	err := g.start(c.path("etcd.log"), self(), "etcd",
		"--data-dir="+c.path("etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		"--listen-peer-urls=https://"+hostIP+":2380", "--initial-advertise-peer-urls=https://"+hostIP+":2380",
		"--initial-cluster=default=https://"+hostIP+":2380",
		"--client-cert-auth", "--trusted-ca-file="+pki("etcd/ca.crt"), "--cert-file="+pki("etcd/server.crt"), "--key-file="+pki("etcd/server.key"),
		"--peer-client-cert-auth", "--peer-trusted-ca-file="+pki("etcd/ca.crt"), "--peer-cert-file="+pki("etcd/peer.crt"), "--peer-key-file="+pki("etcd/peer.key"))
	if err != nil {
		return g, err
	}
	if err := g.start(c.path("kube-apiserver.log"), self(), "kube-apiserver",
		"--bind-address="+hostIP, "--advertise-address="+hostIP, "--secure-port="+apiPort,
		"--allow-privileged", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--profiling=false",
		"--etcd-servers="+etcd, "--etcd-cafile="+pki("etcd/ca.crt"), "--etcd-certfile="+pki("apiserver-etcd-client.crt"), "--etcd-keyfile="+pki("apiserver-etcd-client.key"),
		"--client-ca-file="+pki("ca.crt"), "--tls-cert-file="+pki("apiserver.crt"), "--tls-private-key-file="+pki("apiserver.key"),
		"--kubelet-client-certificate="+pki("apiserver-kubelet-client.crt"), "--kubelet-client-key="+pki("apiserver-kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc."+dnsDomain, "--service-account-key-file="+pki("sa.pub"), "--service-account-signing-key-file="+pki("sa.key"),
		"--service-cluster-ip-range="+serviceNet); err != nil {
		return g, err
	}
	if err := c.until(ctx, "the API answers", func() error {
		client, err := c.client()
		if err == nil {
			_, err = client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		}
		return err
	}); err != nil {
		return g, err
	}
	if err := g.start(c.path("kube-controller-manager.log"), self(), "kube-controller-manager",
		"--kubeconfig="+c.path("controller-manager.conf"), "--leader-elect=false", "--secure-port=0",
		"--root-ca-file="+pki("ca.crt"), "--service-account-private-key-file="+pki("sa.key"), "--use-service-account-credentials",
		"--controllers=*,-node-ipam-controller",
		// A tenth of the default, because the nodes report ten times as often.
		"--node-monitor-grace-period=5s", "--node-monitor-period=500ms"); err != nil {
		return g, err
	}
	if err := g.start(c.path("kube-scheduler.log"), self(), "kube-scheduler",
		"--kubeconfig="+c.path("scheduler.conf"), "--leader-elect=false", "--secure-port=0"); err != nil {
		return g, err
	}
	return g, c.startDNS(g)
}

// startDNS starts CoreDNS, which is built beside this program.
func (c cluster) startDNS(g *group) error {
	corefile := fmt.Sprintf(`.:53 {
	bind %s
	errors
	kubernetes %s in-addr.arpa {
		kubeconfig %s
	}
	cache 5
}
`, hostIP, dnsDomain, c.kubeconfig())
	file := c.path("Corefile")
	if err := os.WriteFile(file, []byte(corefile), 0o600); err != nil {
		return err
	}
	return g.start(c.path("coredns.log"), beside("coredns"), "-conf", file)
}

// until repeats try until it succeeds.
func (c cluster) until(ctx context.Context, what string, try func() error) error {
	for deadline := time.Now().Add(startTimeout); ; {
		err := try()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v until %s; see the logs in %s; last: %w", startTimeout, what, c.dir, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (c cluster) client() (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig())
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// group is a set of processes that end together, and with this process.
type group struct {
	processes []*exec.Cmd
	ended     chan error // receives the end of each; nil if another goroutine waits for them
}

func (g *group) start(log, program string, args ...string) error {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()    // the child has it
	cmd := exec.Command(program, args...) //nolint:noctx // stop ends it
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(program), err)
	}
	g.processes = append(g.processes, cmd)
	if g.ended != nil {
		go func() {
			err := cmd.Wait()
			g.ended <- fmt.Errorf("%s ended: %w; see %s", strings.Join(cmd.Args[:2], " "), err, log)
		}()
	}
	return nil
}

// stop kills all processes, the last started first. SIGKILL will do, because the
// state of a test cluster is not needed afterwards.
func (g *group) stop() {
	for _, p := range slices.Backward(g.processes) {
		_ = p.Process.Kill() // it may have ended by itself
		_ = g.awaitOne()     // killed: that is no error
	}
}

// awaitOne waits until one of them has ended, however it did.
func (g *group) awaitOne() error { return <-g.ended }

// self is this program.
func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err) // Linux knows
	}
	return path
}

// beside is a program in the same folder as this one.
func beside(name string) string { return filepath.Join(filepath.Dir(self()), name) }

// output runs a program to its end.
func output(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("%s %v: %w: %s", filepath.Base(program), args, err, exit.Stderr)
	}
	return out, err
}

// do runs commands to their ends, one after the other.
func do(ctx context.Context, commands ...[]string) error {
	for _, c := range commands {
		if _, err := output(ctx, c[0], c[1:]...); err != nil {
			return err
		}
	}
	return nil
}
