// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// cluster is a running cluster for scripts, of `make cluster` or any other. Its
// scripts run one at a time. A nil cluster means a laptop.
type cluster struct {
	kubeconfig      string
	prefix, version string // of images that its nodes can get
	bin             string
	client          *kubernetes.Clientset
	host            string // where its Pods reach this process

	turn sync.Mutex
}

// Environment variables that select the cluster.
const (
	kubeconfigVariable = "SERIN_E2E_KUBECONFIG"
	imagesVariable     = "SERIN_E2E_IMAGES"   // PREFIX:VERSION
	hereVariable       = "SERIN_E2E_HERE"     // its nodes are of this machine, with its files and processes
	previousVariable   = "SERIN_E2E_PREVIOUS" // program of an earlier version, whose images are PREFIX:before
)

// findHome returns the cluster that the environment names, or nil.
func findHome(bin string) (*cluster, error) {
	c := &cluster{kubeconfig: os.Getenv(kubeconfigVariable), bin: bin}
	if c.kubeconfig == "" {
		return nil, nil
	}
	images := os.Getenv(imagesVariable)
	colon := strings.LastIndex(images, ":")
	if colon < 0 {
		return nil, fmt.Errorf("%s must be PREFIX:VERSION, not %q", imagesVariable, images)
	}
	c.prefix, c.version = images[:colon], images[colon+1:]
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig)
	if err != nil {
		return nil, err
	}
	if c.client, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	if err := c.offered(); err != nil {
		return nil, err
	}
	// The address from which this process reaches the API is one that Pods reach.
	api, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", api.Host)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // it served to find the local address
	c.host, _, err = net.SplitHostPort(conn.LocalAddr().String())
	return c, err
}

// offered returns an error unless the cluster is labelled for these scripts, which
// delete all InferenceServices and nearly all namespaces in it.
func (c *cluster) offered() error {
	n, err := c.client.CoreV1().Namespaces().Get(context.Background(), metav1.NamespaceDefault, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if n.Labels["serin.dev/e2e"] != "yes" {
		return fmt.Errorf("the cluster of %s is not for tests, which delete all InferenceServices and namespaces; if it is: kubectl label namespace default serin.dev/e2e=yes", c.kubeconfig)
	}
	return nil
}

func (c *cluster) storeHost() string {
	if c == nil {
		return "127.0.0.1"
	}
	return c.host
}

func (c *cluster) image(name string) string {
	if c == nil {
		return "serin/" + name
	}
	return c.prefix + "/" + name + ":" + c.version
}

// up gives the cluster to a script, with Serin installed.
func (c *cluster) up(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: up, and in a cluster without flags")
	}
	c.turn.Lock()
	ts.Defer(c.turn.Unlock)
	config, err := os.ReadFile(c.kubeconfig)
	ts.Check(err)
	mine := ts.MkAbs("kubeconfig") // scripts change its context
	ts.Check(os.WriteFile(mine, config, 0o600))
	ts.Setenv("KUBECONFIG", mine)
	ts.Setenv("IMAGE_PREFIX", c.prefix)
	ts.Setenv("IMAGE_VERSION", c.version)
	ts.Check(ts.Exec("serin", "install", "--image-prefix="+c.prefix, "--image-version="+c.version,
		"--service-type=NodePort", "--fetch-env=STORAGE_EMULATOR_HOST="+ts.Getenv("STORAGE_EMULATOR_HOST")))
	c.sweep(ts) // a script that failed leaves objects

	ctx := context.Background()
	nodes, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	ts.Check(err)
	for _, a := range nodes.Items[0].Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			ts.Setenv("INGRESS_HOST", a.Address)
		}
	}
	service, err := c.client.CoreV1().Services("serin-system").Get(ctx, "serin-router", metav1.GetOptions{})
	ts.Check(err)
	ts.Setenv("INGRESS_PORT", strconv.Itoa(int(service.Spec.Ports[0].NodePort)))
}

// down deletes everything that the script made, and fails if a Pod is left.
func (c *cluster) down(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: down, after up")
	}
	c.sweep(ts)
}

// sweep deletes all InferenceServices and the namespaces of scripts, and waits
// until no Pod of a model is left.
func (c *cluster) sweep(ts *testscript.TestScript) {
	ts.Check(ts.Exec("kubectl", "delete", "isvc", "--all", "--all-namespaces"))
	ts.Check(ts.Exec("kubectl", "delete", "pods", "--all", "--namespace=default"))
	ctx := context.Background()
	namespaces, err := c.client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	ts.Check(err)
	for _, n := range namespaces.Items {
		if n.Name != "default" && n.Name != "serin-system" && !strings.HasPrefix(n.Name, "kube-") {
			ts.Check(ts.Exec("kubectl", "delete", "namespace", n.Name))
		}
	}
	within(ts, eventual, func() (any, bool) {
		pods, err := c.client.CoreV1().Pods("").List(ctx, metav1.ListOptions{LabelSelector: "serving.kserve.io/inferenceservice"})
		ts.Check(err)
		left := []string{"Pods left behind:"}
		for _, p := range pods.Items {
			left = append(left, p.Namespace+"/"+p.Name)
		}
		return left, len(pods.Items) == 0
	})
}

// machine runs the program that made the cluster.
func machine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: machine kill NODE, or machine boot")
	}
	program := filepath.Join(running(ts).cluster.bin, "cluster", "cluster")
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		ts.Check(errors.Join(err, errors.New(string(out))))
	}
	if args[0] == "kill" { // the next script needs the node, even if this one fails
		ts.Defer(func() { _ = exec.Command(program, "boot").Run() })
	}
}

// failover kills the process that holds a lease, and prints how long it took until
// another process held it. The nodes must be on this machine.
func failover(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: failover LEASE")
	}
	ctx, client := context.Background(), running(ts).cluster.client
	holder := func() string { // POD_UUID
		lease, err := client.CoordinationV1().Leases("serin-system").Get(ctx, args[0], metav1.GetOptions{})
		ts.Check(err)
		if lease.Spec.HolderIdentity == nil {
			return ""
		}
		return *lease.Spec.HolderIdentity
	}
	first := holder()
	begin := time.Now()
	pod, _, _ := strings.Cut(first, "_")
	killPod(ts, pod, args[0])
	within(ts, eventual, func() (any, bool) {
		is := holder()
		return fmt.Sprintf("%s holds the lease %s", is, args[0]), is != first && is != ""
	})
	_, _ = fmt.Fprintf(ts.Stdout(), "%s: another one leads after %.1f s\n", args[0], time.Since(begin).Seconds())
}

// killPod kills the process of a program in a Pod.
func killPod(ts *testscript.TestScript, pod, program string) {
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	ts.Check(err)
	for _, f := range environs {
		env, err := os.ReadFile(f)
		if err != nil || !strings.Contains("\x00"+string(env), "\x00HOSTNAME="+pod+"\x00") {
			continue
		}
		if cmdline, err := os.ReadFile(filepath.Join(filepath.Dir(f), "cmdline")); err != nil || !strings.Contains(string(cmdline), program) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		ts.Check(err)
		ts.Check(syscall.Kill(pid, syscall.SIGKILL))
		return
	}
	ts.Fatalf("Pod %s is not of this machine", pod)
}
