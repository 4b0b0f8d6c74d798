// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// possible returns an error if this machine cannot have a cluster.
func possible() error {
	if os.Geteuid() != 0 {
		return errors.New("a cluster needs root")
	}
	for _, program := range []string{"containerd", "ctr", "runc", "iptables", "ipset", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("a cluster needs %s, which is not installed", program)
		}
	}
	if cniPlugins() == "" {
		return errors.New("a cluster needs the CNI plugins, which are not installed")
	}
	namespaces := exec.Command("unshare", "--net", "--mount", "--pid", "--fork", "iptables", "-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE") //nolint:noctx // it ends at once
	if out, err := namespaces.CombinedOutput(); err != nil {
		return fmt.Errorf("a cluster needs namespaces and iptables, which do not work here: %w: %s", err, out)
	}
	return nil
}

// install takes what is missing from the distribution.
func install(ctx context.Context, _ ...string) error {
	err := possible()
	if err == nil || os.Geteuid() != 0 {
		return err
	}
	if _, e := exec.LookPath("apt-get"); e != nil {
		return err
	}
	fmt.Printf("%v: apt-get install %s\n", err, strings.Join(packages, " "))
	if _, err := output(ctx, "apt-get", append([]string{"install", "-y", "--no-install-recommends"}, packages...)...); err != nil {
		return err
	}
	return possible()
}

// packages are Debian's.
var packages = []string{"containerd", "runc", "containernetworking-plugins", "iptables", "ipset", "iproute2"}

// The supervisor's files: its pid, and its progress for `cluster up`.
const (
	pidFile      = "pid"
	progressFile = "progress"
	upLine       = "cluster is up"
)

// up starts a supervisor that outlives this process, and shows its progress.
func (c cluster) up(ctx context.Context, _ ...string) error {
	if err := possible(); err != nil {
		return err
	}
	if _, err := os.Stat(c.dir); err == nil {
		return fmt.Errorf("there is a cluster in %s, or what is left of one: end it with `cluster down`", c.dir)
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	log, err := os.Create(c.path("cluster.log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the child has it
	run := exec.Command(self(), "run") //nolint:noctx // it outlives this process
	run.Stdout, run.Stderr = log, log
	run.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := run.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	for shown := 0; ; {
		said, err := os.ReadFile(c.path(progressFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		fmt.Print(string(said[shown:]))
		shown = len(said)
		if strings.Contains(string(said), upLine) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), run.Process.Signal(syscall.SIGTERM))
		case err := <-ended:
			said, _ := os.ReadFile(log.Name()) // without it the error still helps
			return fmt.Errorf("the cluster did not start: %w\n%s", err, said)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// run is the supervisor. On SIGTERM it ends all processes, and itself.
func (c cluster) run(ctx context.Context, _ ...string) (err error) {
	begin := time.Now()
	progress, err := os.Create(c.path(progressFile))
	if err != nil {
		return err
	}
	say := func(format string, args ...any) {
		fmt.Fprintf(progress, "%4.1fs  %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
	}
	if err := os.WriteFile(c.path(pidFile), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return err
	}
	defer c.clean()
	boots := make(chan os.Signal, 1)
	signal.Notify(boots, syscall.SIGHUP)
	settings := kernelSettings()
	defer settings.restore()

	say("bridge %s, certificates", bridge)
	if err := errors.Join(
		do(ctx, []string{"ip", "link", "add", bridge, "type", "bridge"}, []string{"ip", "addr", "add", hostNet, "dev", bridge}, []string{"ip", "link", "set", bridge, "up"}),
		pauseImage(filepath.Join(filepath.Dir(self()), "images", "pause.tar"), c.path("pause.tar")),
		c.certificates(ctx)); err != nil {
		return err
	}
	say("control plane")
	control, err := c.controlPlane(ctx)
	defer control.stop()
	if err != nil {
		return err
	}
	say("nodes")
	running := map[string]*exec.Cmd{}
	defer func() {
		for _, cmd := range running {
			_ = cmd.Process.Kill() // it may have been killed
			_ = cmd.Wait()
		}
	}()
	if err := c.powerAll(ctx, running); err != nil {
		return err
	}
	if err := c.offer(ctx); err != nil {
		return err
	}
	say("%s: export KUBECONFIG=%s", upLine, c.kubeconfig())
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-control.ended:
			control.ended <- err // stop counts it
			return err
		case <-boots:
			if err := c.powerAll(ctx, running); err != nil {
				return err
			}
		}
	}
}

// offer gives the cluster to the stories of e2e, which delete what they find.
func (c cluster) offer(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	label := []byte(`{"metadata":{"labels":{"serin.dev/e2e":"yes"}}}`)
	_, err = client.CoreV1().Namespaces().Patch(ctx, metav1.NamespaceDefault, types.MergePatchType, label, metav1.PatchOptions{})
	return err
}

// powerAll starts the nodes that do not run, and waits until all are ready.
func (c cluster) powerAll(ctx context.Context, running map[string]*exec.Cmd) error {
	for _, m := range nodes {
		if cmd := running[m.name]; cmd != nil {
			if cmd.Process.Signal(syscall.Signal(0)) == nil && !zombie(cmd.Process.Pid) {
				continue
			}
			_ = cmd.Wait() // killed: that is no error
		}
		cmd, err := c.power(ctx, m)
		if err != nil {
			return err
		}
		running[m.name] = cmd
	}
	return c.until(ctx, "all nodes are ready", func() error { return c.nodesReady(ctx) })
}

// nodesReady asks the API whether all nodes are.
func (c cluster) nodesReady(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	ready := 0
	for _, n := range list.Items {
		if slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		}) {
			ready++
		}
	}
	if ready < len(nodes) {
		return fmt.Errorf("%d of %d are ready", ready, len(nodes))
	}
	return nil
}

// zombie reports whether a child has ended and was not waited for.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// pid reads the pid of a file, and reports whether that process lives.
func pid(file string) (int, bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || syscall.Kill(n, 0) != nil || zombie(n) {
		return 0, false
	}
	return n, true
}

// boot asks the supervisor for the nodes that do not run.
func (c cluster) boot(ctx context.Context, _ ...string) error {
	supervisor, ok := pid(c.path(pidFile))
	if !ok {
		return errors.New("there is no cluster: `cluster up` starts one")
	}
	if err := syscall.Kill(supervisor, syscall.SIGHUP); err != nil {
		return err
	}
	return c.until(ctx, "all nodes run", func() error {
		for _, m := range nodes {
			if _, ok := pid(c.nodePath(m, pidFile)); !ok {
				return fmt.Errorf("%s does not run", m.name)
			}
		}
		return nil
	})
}

// kill ends all processes of a node at once, as a power cut does: no connection is
// closed, and nothing answers any more.
func (c cluster) kill(ctx context.Context, args ...string) error {
	for _, m := range nodes {
		if len(args) != 1 || m.name != args[0] {
			continue
		}
		first, ok := pid(c.nodePath(m, pidFile))
		if !ok {
			return fmt.Errorf("%s does not run", m.name)
		}
		// The network device first, because the kernel would close connections properly.
		if err := do(ctx, []string{"ip", "link", "set", m.veth(), "down"}); err != nil {
			return err
		}
		return syscall.Kill(first, syscall.SIGKILL)
	}
	return fmt.Errorf("usage: cluster kill NODE, one of %v", nodes)
}

// load imports images, tarballs of OCI layouts, on every node.
func (c cluster) load(ctx context.Context, tars ...string) error {
	for _, m := range nodes {
		for _, tar := range tars {
			if _, err := output(ctx, "ctr", "-a", c.nodePath(m, "run/containerd/containerd.sock"), "-n", "k8s.io", "image", "import", tar); err != nil {
				return err
			}
		}
	}
	return nil
}

// down ends the supervisor, or what is left without one.
func (c cluster) down(ctx context.Context, _ ...string) error {
	if supervisor, ok := pid(c.path(pidFile)); ok {
		if err := syscall.Kill(supervisor, syscall.SIGTERM); err != nil {
			return err
		}
		if err := c.until(ctx, "the cluster has ended", func() error {
			if _, ok := pid(c.path(pidFile)); ok {
				return fmt.Errorf("process %d runs", supervisor)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	c.clean()
	return os.RemoveAll(c.dir)
}

// clean removes what does not end with processes.
func (c cluster) clean() {
	_ = do(context.Background(), []string{"ip", "link", "del", bridge}) // it may not be there
	for deadline := time.Now().Add(killed); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if !removeGroups() {
			return
		}
	}
}

// removeGroups removes our control groups, from the leaves up, and reports
// whether some are left: their processes may still be ending.
func removeGroups() (left bool) {
	for _, pattern := range []string{"/sys/fs/cgroup/" + cgroup, "/sys/fs/cgroup/*/" + cgroup} {
		roots, _ := filepath.Glob(pattern) // the pattern is valid
		for _, root := range roots {
			var dirs []string
			_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					dirs = append(dirs, path)
				}
				return nil
			})
			for _, dir := range slices.Backward(dirs) {
				left = os.Remove(dir) != nil || left
			}
		}
	}
	return left
}

// settings are values below /proc/sys that a kubelet changes for the whole
// machine.
type settings map[string][]byte

func kernelSettings() settings {
	s := settings{}
	for _, name := range []string{"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"} {
		if value, err := os.ReadFile("/proc/sys/" + name); err == nil {
			s[name] = value
		}
	}
	return s
}

func (s settings) restore() {
	for name, value := range s {
		_ = os.WriteFile("/proc/sys/"+name, value, 0o644) // as it was, if it could be changed at all
	}
}

// pauseImage takes the image of Pods' namespaces along, as it may be replaced
// while the cluster runs.
func pauseImage(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("the pause image: %w", err)
	}
	defer func() { _ = in.Close() }() // it was read
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
