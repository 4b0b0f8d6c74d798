// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// machine is one of the nodes.
type machine struct{ name, ip, mac, pods string }

var nodes = []machine{
	{name: "node1", ip: "10.99.0.11", mac: "02:00:0a:63:00:0b", pods: "10.98.1.0/24"},
	{name: "node2", ip: "10.99.0.12", mac: "02:00:0a:63:00:0c", pods: "10.98.2.0/24"},
}

// veth is the name of a node's virtual Ethernet device at the bridge.
func (m machine) veth() string { return "serin-" + m.name }

// cgroup is the parent of all containers' control groups.
const cgroup = "serin-cluster"

// private are the directories that each node has for itself. Debian's packages and
// Kubernetes write to them, outside of the cluster's directory.
var private = []string{"run", "var/lib", "var/log"}

func (c cluster) nodePath(m machine, name ...string) string {
	return c.path(append([]string{m.name}, name...)...)
}

// power starts a node, and returns its first process. All others on the node end
// with it.
func (c cluster) power(ctx context.Context, m machine) (*exec.Cmd, error) {
	if err := os.RemoveAll(c.nodePath(m, "run")); err != nil {
		return nil, err
	}
	for _, dir := range private {
		if err := os.MkdirAll(c.nodePath(m, dir), 0o755); err != nil {
			return nil, err
		}
	}
	log, err := os.OpenFile(c.nodePath(m, "node.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()          // the child has it
	cmd := exec.Command(self(), "node", m.name) //nolint:noctx // killed by name
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", m.name, err)
	}
	pid := strconv.Itoa(cmd.Process.Pid)
	_ = do(ctx, []string{"ip", "link", "del", m.veth()}) // the kernel may still be ending the node before
	err = do(ctx,
		[]string{"ip", "link", "add", m.veth(), "type", "veth", "peer", "name", "eth0", "address", m.mac, "netns", pid},
		[]string{"ip", "link", "set", m.veth(), "master", bridge, "up"},
		[]string{"ip", "route", "replace", m.pods, "via", m.ip})
	if err == nil {
		err = os.WriteFile(c.nodePath(m, "pid"), []byte(pid), 0o600)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, err
	}
	return cmd, nil
}

// node is the first process of a node, in namespaces of its own.
func (c cluster) node(ctx context.Context, args ...string) error {
	for _, m := range nodes {
		if m.name == args[0] {
			return c.live(context.WithoutCancel(ctx), m)
		}
	}
	return fmt.Errorf("there is no node %s", args[0])
}

// live sets up the machine, and returns when one of its parts ends.
func (c cluster) live(ctx context.Context, m machine) error {
	if err := c.mounts(m); err != nil {
		return err
	}
	if err := c.network(ctx, m); err != nil {
		return err
	}
	if err := c.configure(m); err != nil {
		return err
	}
	g := &group{}
	if err := g.start(c.nodePath(m, "containerd.log"), "containerd", "--config", c.nodePath(m, "containerd.toml")); err != nil {
		return err
	}
	if err := c.until(ctx, "containerd answers", func() error {
		_, err := output(ctx, "ctr", "version")
		return err
	}); err != nil {
		return err
	}
	if _, err := os.Stat(c.path("pause.tar")); err == nil {
		if _, err := output(ctx, "ctr", "-n", "k8s.io", "image", "import", c.path("pause.tar")); err != nil {
			return err
		}
	}
	if err := g.start(c.nodePath(m, "kubelet.log"), self(), "kubelet",
		"--config="+c.nodePath(m, "kubelet.yaml"), "--kubeconfig="+c.path(m.name+".conf"), "--hostname-override="+m.name, "--node-ip="+m.ip); err != nil {
		return err
	}
	if err := g.start(c.nodePath(m, "kube-proxy.log"), self(), "kube-proxy",
		"--config="+c.nodePath(m, "kube-proxy.yaml"), "--hostname-override="+m.name); err != nil {
		return err
	}
	if err := c.until(ctx, "the API knows the node", func() error { return c.known(ctx, m) }); err != nil {
		return err
	}
	if err := g.start(c.nodePath(m, "kube-router.log"), beside("kube-router"),
		"--run-firewall=true", "--run-router=false", "--run-service-proxy=false",
		"--kubeconfig="+c.path("kube-router.conf"), "--hostname-override="+m.name, "--service-cluster-ip-range="+serviceNet); err != nil {
		return err
	}
	return reap(g)
}

// known returns an error unless the kubelet has made its Node, which kube-router looks up only once.
func (c cluster) known(ctx context.Context, m machine) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Nodes().Get(ctx, m.name, metav1.GetOptions{})
	return err
}

// reap waits for all children until one of the group ends. As the first process it
// inherits those of others.
func reap(g *group) error {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("wait: %w", err)
		}
		for _, p := range g.processes {
			if p.Process.Pid == pid {
				return fmt.Errorf("%s ended, status %d, signal %d", strings.Join(p.Args[:2], " "), status.ExitStatus(), status.Signal())
			}
		}
	}
}

// mounts gives the node its own view of directories that programs have to
// themselves, and of its processes.
func (c cluster) mounts(m machine) error {
	if err := syscall.Sethostname([]byte(m.name)); err != nil {
		return fmt.Errorf("name the host: %w", err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	for _, dir := range private {
		if err := syscall.Mount(c.nodePath(m, dir), "/"+dir, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount /%s: %w", dir, err)
		}
	}
	// The kubelet wants volumes that containers mount to reach it.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("make mounts shared: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return nil
}

// network waits for the cable, and gives the machine its addresses and routes.
func (c cluster) network(ctx context.Context, m machine) error {
	if err := c.until(ctx, "there is a network", func() error {
		_, err := net.InterfaceByName("eth0")
		return err
	}); err != nil {
		return err
	}
	commands := [][]string{
		{"ip", "link", "set", "lo", "up"},
		{"ip", "addr", "add", m.ip + "/24", "dev", "eth0"},
		{"ip", "link", "set", "eth0", "up"},
		{"ip", "route", "add", "default", "via", hostIP},
	}
	for _, other := range nodes {
		if other != m {
			commands = append(commands, []string{"ip", "route", "add", other.pods, "via", other.ip})
		}
	}
	if err := do(ctx, commands...); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644),
		os.WriteFile("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_syn_sent", []byte(forget), 0o644))
}

// forget is the conntrack timeout, in seconds, of a connection without an answer.
// Until then a connection from the same client port goes to the same Pod, even if
// that is dead. Linux has 120 s: at 33 new connections per second from one address
// ports repeat within half a minute.
const forget = "5"

// configure writes the configuration of containerd, its network, kubelet and
// kube-proxy.
func (c cluster) configure(m machine) error {
	files := map[string]string{
		c.nodePath(m, "containerd.toml"): fmt.Sprintf(`version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.test/serin/pause:1"
  restrict_oom_score_adj = true # root may not be allowed to lower it
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
`, cniPlugins(), c.nodePath(m, "cni")),
		c.nodePath(m, "cni", "10-serin.conflist"): fmt.Sprintf(`{
  "cniVersion": "0.4.0", "name": "serin",
  "plugins": [{
    "type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
    "ipam": {"type": "host-local", "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}
  }]
}
`, m.pods),
		c.nodePath(m, "kubelet.yaml"): fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: %q}}
authorization: {mode: AlwaysAllow} # of those with a certificate
clusterDNS: [%s]
clusterDomain: %s
resolvConf: ""
cgroupDriver: cgroupfs
cgroupsPerQOS: false
cgroupRoot: /%s
enforceNodeAllocatable: []
failCgroupV1: false
failSwapOn: false
evictionHard: {}
localStorageCapacityIsolation: false
nodeStatusUpdateFrequency: 1s
nodeLeaseDurationSeconds: 4
`, c.path("pki", "ca.crt"), hostIP, dnsDomain, cgroup),
		c.nodePath(m, "kube-proxy.yaml"): fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: %s
clientConnection: {kubeconfig: %q}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s} # the host's affair
iptables: {minSyncPeriod: 100ms}
`, podNet, c.path("kube-proxy.conf")),
	}
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// cniPlugins is where the distribution puts them.
func cniPlugins() string {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"} {
		if _, err := os.Stat(filepath.Join(dir, "bridge")); err == nil {
			return dir
		}
	}
	return ""
}

// killed bounds the end of a killed node's processes.
const killed = 10 * time.Second
