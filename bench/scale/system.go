// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
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
	services           *services
	nodes              *nodes
	namespaces         int
	controller, router *exec.Cmd
	requests, admin    string // host:port of the router
	metrics            string // host:port of the controller's metrics
	pods               *http.Server
	unwatch            context.CancelFunc // ends this program's watches
}

const queuePort = "8012" // where the router expects Pods

// start starts everything, and makes nodes and namespaces.
func start(ctx context.Context, o options) (*system, error) {
	watching, unwatch := context.WithCancel(ctx)
	s := &system{namespaces: max(1, (o.services+o.ceiling-1)/o.ceiling), unwatch: unwatch}
	var err error
	if s.api, err = startAPI(ctx, o.bin); err != nil {
		unwatch()
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
	for i := range s.namespaces {
		if _, err := s.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace(i)}}, metav1.CreateOptions{}); err != nil {
			return s, err
		}
	}
	if s.nodes, err = startNodes(watching, s.client, 2*o.services/podsPerNode*5/4+2); err != nil {
		return s, err
	}
	if s.services, err = watchServices(watching, s.objects); err != nil {
		return s, err
	}
	return s, s.startPrograms(ctx, o.bin)
}

// startAPI starts the API server, which is not what is measured. It collects garbage
// seldom: as `serin up` is set for a laptop, that is a third of its work.
func startAPI(ctx context.Context, bin string) (*kubetest.Server, error) {
	for name, value := range map[string]string{"SERIN_BIN": bin, "GOGC": "400", "GOMEMLIMIT": "4GiB"} {
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	api, err := kubetest.Start(ctx, "--without=controller,router,node")
	return api, errors.Join(err, os.Unsetenv("GOGC"), os.Unsetenv("GOMEMLIMIT"))
}

// startPrograms starts controller and router.
func (s *system) startPrograms(ctx context.Context, bin string) (err error) {
	if s.metrics, err = free(ctx); err != nil {
		return err
	}
	kubeconfig := "--kubeconfig=" + s.api.Kubeconfig
	if s.controller, err = s.program("controller", filepath.Join(bin, "serin-controller"), kubeconfig, "--log-level=warn",
		"--router-host=serin-router.serin-system.svc.cluster.local", "--metrics="+s.metrics); err != nil {
		return err
	}
	if s.router, err = s.program("router", filepath.Join(bin, "serin-router"), kubeconfig, "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"); err != nil {
		return err
	}
	return s.findRouter(ctx)
}

// free returns a local address with a port that nobody uses.
func free(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
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

var listening = regexp.MustCompile(`requests=(\S+:\d+) admin=(\S+:\d+)`)

func (s *system) findRouter(ctx context.Context) error {
	for deadline := time.Now().Add(30 * time.Second); ; {
		said, err := os.ReadFile(s.log("router"))
		if err != nil {
			return err
		}
		if m := listening.FindSubmatch(said); m != nil {
			s.requests, s.admin = string(m[1]), string(m[2])
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
	s.unwatch()
	for _, cmd := range []*exec.Cmd{s.controller, s.router} {
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

// use returns what controller and router use.
func (s *system) use() (controller, router usage, err error) {
	controller, err1 := use(s.controller)
	router, err2 := use(s.router)
	return controller, router, errors.Join(err1, err2)
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
