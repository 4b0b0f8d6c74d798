// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	_ "embed" // stages
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/prometheus/procfs"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-dev/serin/internal/testkit/kubetest"
)

// system is everything that runs.
type system struct {
	api                *kubetest.Server
	client             *kubernetes.Clientset
	objects            dynamic.Interface
	controller, router *exec.Cmd
	others             []*exec.Cmd
	requests           string // host:port of the router
	pods               *http.Server
}

//go:embed stages.yaml
var stages []byte

const (
	namespaces  = 50
	podsPerNode = 250
	queuePort   = "8012" // where the router expects Pods
)

// start starts everything, and makes nodes and namespaces.
func start(ctx context.Context, o options) (*system, error) {
	s := &system{}
	var err error
	if err = os.Setenv("SERIN_BIN", o.bin); err != nil {
		return s, err
	}
	if s.api, err = kubetest.Start(ctx, "--without=controller,router,node"); err != nil {
		return nil, err
	}
	if s.client, err = kubernetes.NewForConfig(s.api.REST); err != nil {
		return s, err
	}
	if s.objects, err = dynamic.NewForConfig(s.api.REST); err != nil {
		return s, err
	}
	if err := s.servePods(ctx); err != nil {
		return s, err
	}
	if err := s.furnish(ctx, 2*o.services/podsPerNode*5/4+2); err != nil {
		return s, err
	}
	kubeconfig := "--kubeconfig=" + s.api.Kubeconfig
	config := s.log("stages") + ".yaml"
	if err := os.WriteFile(config, stages, 0o600); err != nil {
		return s, err
	}
	kwok, err := s.program("kwok", o.kwok, kubeconfig, "--config="+config, "--manage-all-nodes", "--cidr=127.0.0.0/8", "--node-ip=127.0.0.1")
	if err != nil {
		return s, err
	}
	s.others = append(s.others, kwok)
	if s.controller, err = s.program("controller", filepath.Join(o.bin, "serin-controller"), kubeconfig, "--log-level=warn",
		"--router-host=serin-router.serin-system.svc.cluster.local"); err != nil {
		return s, err
	}
	if s.router, err = s.program("router", filepath.Join(o.bin, "serin-router"), kubeconfig, "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"); err != nil {
		return s, err
	}
	return s, s.findRouter(ctx)
}

// servePods answers for all Pods.
func (s *system) servePods(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "0.0.0.0:"+queuePort)
	if err != nil {
		return fmt.Errorf("answer for all Pods: %w", err)
	}
	s.pods = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"predictions":[1]}`) // a client that left needs none
	})}
	go func() { _ = s.pods.Serve(l) }() // ends when it is closed
	return nil
}

// furnish makes nodes and namespaces.
func (s *system) furnish(ctx context.Context, nodes int) error {
	room := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("1000"),
		corev1.ResourceMemory: resource.MustParse("1000Gi"),
		corev1.ResourcePods:   *resource.NewQuantity(podsPerNode, resource.DecimalSI),
	}
	for i := range nodes {
		name := fmt.Sprintf("kwok-%d", i)
		if _, err := s.client.CoreV1().Nodes().Create(ctx, &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}},
			Status:     corev1.NodeStatus{Allocatable: room, Capacity: room},
		}, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for i := range namespaces {
		if _, err := s.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace(i)}}, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

func namespace(i int) string { return fmt.Sprintf("team-%d", i%namespaces) }

// program starts one, with a log beside the API's data.
func (s *system) program(name, path string, args ...string) (*exec.Cmd, error) {
	log, err := os.Create(s.log(name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has it
	cmd := exec.Command(path, args...) //nolint:noctx // stop ends it
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return cmd, nil
}

func (s *system) log(name string) string { return filepath.Join(s.api.Dir, name+".log") }

var listening = regexp.MustCompile(`requests=(\S+:\d+) `)

func (s *system) findRouter(ctx context.Context) error {
	for deadline := time.Now().Add(30 * time.Second); ; {
		said, err := os.ReadFile(s.log("router"))
		if err != nil {
			return err
		}
		if m := listening.FindSubmatch(said); m != nil {
			s.requests = string(m[1])
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the router does not say where it listens: %s", said)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *system) stop() {
	for _, cmd := range append(s.others, s.controller, s.router) {
		if cmd != nil && cmd.Process != nil {
			_ = cmd.Process.Kill() // its data is not needed
			_ = cmd.Wait()
		}
	}
	if s.pods != nil {
		_ = s.pods.Close()
	}
	_ = s.api.Stop() // it removes its directory
}

// usage is what a process uses.
type usage struct {
	resident float64 // MB
	cpu      float64 // seconds so far
}

func use(cmd *exec.Cmd) (usage, error) {
	p, err := procfs.NewProc(cmd.Process.Pid)
	if err != nil {
		return usage{}, err
	}
	stat, err := p.Stat()
	if err != nil {
		return usage{}, err
	}
	if stat.State == "Z" {
		return usage{}, fmt.Errorf("%s ended", filepath.Base(cmd.Path))
	}
	return usage{float64(stat.ResidentMemory()) / 1e6, stat.CPUTime()}, nil
}
