// SPDX-License-Identifier: Apache-2.0

// Command up measures a local Serin as a person meets it: how long `serin up`
// takes on an empty directory and on a used one, how much memory it settles at,
// and how long a service with a cached model takes from apply to Ready. It
// needs the built programs, and no peer: KServe has no home on a laptop without
// containers.
//
//	go run ./bench/up -bin bin
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/serin-dev/serin/api/v1beta1"
)

func main() {
	bin := flag.String("bin", "bin", "directory of the built programs")
	rounds := flag.Int("rounds", 5, "starts of each kind")
	services := flag.Int("services", 20, "services to apply")
	flag.Parse()
	if err := run(context.Background(), *bin, *rounds, *services); err != nil {
		fmt.Fprintln(os.Stderr, "bench/up:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin string, rounds, services int) error {
	var fresh, again, memory series
	for range rounds {
		if err := measureStarts(ctx, bin, &fresh, &again, &memory); err != nil {
			return err
		}
	}
	fmt.Printf("serin up, empty directory:    %s s   (budget 6)\n", &fresh)
	fmt.Printf("serin up, used directory:     %s s   (budget 6)\n", &again)
	fmt.Printf("resident after 5 s:           %s MB  (budget 450)\n", &memory)
	return measureServices(ctx, bin, services)
}

// measureStarts starts Serin twice in a new directory.
func measureStarts(ctx context.Context, bin string, fresh, again, memory *series) error {
	dir, err := os.MkdirTemp("", "serin-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	first, err := start(ctx, bin, dir)
	if err != nil {
		return err
	}
	fresh.add(first.took.Seconds())
	if err := first.stop(); err != nil {
		return err
	}
	second, err := start(ctx, bin, dir)
	if err != nil {
		return err
	}
	again.add(second.took.Seconds())
	time.Sleep(5 * time.Second) // let it settle
	mb, err := second.resident()
	memory.add(mb)
	return errors.Join(err, second.stop())
}

// measureServices applies services one after the other.
func measureServices(ctx context.Context, bin string, services int) error {
	dir, err := os.MkdirTemp("", "serin-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := start(ctx, bin, dir)
	if err != nil {
		return err
	}
	var ready series
	for i := range services + 1 {
		took, err := applyUntilReady(ctx, dir, fmt.Sprintf("iris-%d", i))
		if err != nil {
			return errors.Join(err, s.stop())
		}
		if i > 0 { // the first one fills the cache
			ready.add(took.Seconds())
		}
	}
	mb, err := s.resident()
	fmt.Printf("apply to Ready, cached model: %s s  (budget p50 1.5)\n", &ready)
	fmt.Printf("resident with %d services:    %.0f MB\n", services+1, mb)
	return errors.Join(err, s.stop())
}

// server is a running `serin up`.
type server struct {
	process *exec.Cmd
	took    time.Duration
}

func start(ctx context.Context, bin, dir string) (*server, error) {
	c := exec.CommandContext(ctx, filepath.Join(bin, "serin"), "up", "--data-dir", dir, "--api-port=0", "--router-port=0")
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := c.Start(); err != nil {
		return nil, err
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "serin is up" {
			s := &server{c, time.Since(begin)}
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return s, nil
		}
	}
	return nil, fmt.Errorf("serin up did not come up: %w", c.Wait())
}

func (s *server) stop() error {
	if err := s.process.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	return s.process.Wait()
}

// resident is the memory of the process and its etcd in MB.
func (s *server) resident() (float64, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return 0, err
	}
	bytes := 0
	for _, p := range all {
		stat, err := p.Stat()
		if err != nil {
			continue // it has ended
		}
		if stat.PID == s.process.Process.Pid || stat.PPID == s.process.Process.Pid && stat.Comm == "serin-etcd" {
			bytes += stat.ResidentMemory()
		}
	}
	return float64(bytes) / (1 << 20), nil
}

// applyUntilReady creates a service of the example model and waits for Ready.
func applyUntilReady(ctx context.Context, dir, name string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(dir, "kubeconfig"))
	if err != nil {
		return 0, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return 0, err
	}
	services := client.Resource(v1beta1.Resource).Namespace("default")
	watch, err := services.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		return 0, err
	}
	defer watch.Stop()
	begin := time.Now()
	_, err = services.Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1beta1.GroupVersion.String(),
		"kind":       v1beta1.Kind.Kind,
		"metadata":   map[string]any{"name": name},
		"spec": map[string]any{"predictor": map[string]any{"model": map[string]any{
			"modelFormat": map[string]any{"name": "sklearn"},
			"storageUri":  "file://" + filepath.Join(dir, "examples", "iris"),
		}}},
	}}, metav1.CreateOptions{})
	if err != nil {
		return 0, err
	}
	for event := range watch.ResultChan() {
		o, ok := event.Object.(*unstructured.Unstructured)
		if !ok {
			continue
		}
		conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
		for _, c := range conditions {
			if m := c.(map[string]any); m["type"] == v1beta1.ConditionReady && m["status"] == "True" {
				return time.Since(begin), nil
			}
		}
	}
	return 0, fmt.Errorf("%s did not become Ready: %w", name, ctx.Err())
}

// series is a list of measurements.
type series []float64

func (s *series) add(v float64) { *s = append(*s, v) }

// String gives median, least and most.
func (s *series) String() string {
	sorted := slices.Sorted(slices.Values(*s))
	return strings.TrimSpace(fmt.Sprintf("p50 %.2f (%.2f to %.2f, %d runs)", sorted[len(sorted)/2], sorted[0], sorted[len(sorted)-1], len(sorted)))
}
