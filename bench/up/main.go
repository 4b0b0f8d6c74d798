// SPDX-License-Identifier: Apache-2.0

// Command up measures a local Serin as a person meets it: how long `serin up`
// takes in an empty directory and in a used one, how much memory it settles at,
// and how long a service with a cached model takes from apply to Ready. It
// needs the built programs. It has no peer: KServe does not run on a laptop
// without containers.
//
//	go run ./bench/up -bin bin
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/procfs"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/bench/internal/report"
	"github.com/serin-dev/serin/internal/testkit/kubetest"
)

func main() {
	bin := flag.String("bin", "bin", "directory of the built programs")
	rounds := flag.Int("rounds", 5, "starts of each kind")
	services := flag.Int("services", 20, "services to apply")
	file := flag.String("json", "", "file that gets the numbers")
	flag.Parse()
	if err := run(context.Background(), *bin, *file, *rounds, *services); err != nil {
		fmt.Fprintln(os.Stderr, "bench/up:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin, file string, rounds, services int) error {
	if err := os.Setenv("SERIN_BIN", bin); err != nil {
		return err
	}
	var r report.Report
	for range rounds {
		if err := measureStarts(ctx, &r); err != nil {
			return err
		}
	}
	if err := measureServices(ctx, &r, services); err != nil {
		return err
	}
	return r.Write(file)
}

// measureStarts starts Serin twice in a new directory.
func measureStarts(ctx context.Context, r *report.Report) error {
	dir, err := os.MkdirTemp("", "serin-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, directory := range []string{"empty directory", "used directory"} {
		begin := time.Now()
		s, err := kubetest.Start(ctx, "--data-dir", dir)
		if err != nil {
			return err
		}
		r.Add("up-start", directory, time.Since(begin).Seconds())
		time.Sleep(10 * time.Second) // let it settle
		mb, err := resident()
		r.Add("up-memory", directory, mb)
		if err := errors.Join(err, s.Stop()); err != nil {
			return err
		}
	}
	return nil
}

// measureServices applies services one after the other.
func measureServices(ctx context.Context, r *report.Report, services int) (err error) {
	s, err := kubetest.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	client, err := dynamic.NewForConfig(s.REST)
	if err != nil {
		return err
	}
	for i := range services + 1 {
		took, err := applyUntilReady(ctx, client.Resource(v1beta1.Resource).Namespace("default"), s.Dir, fmt.Sprintf("iris-%d", i))
		if err != nil {
			return err
		}
		if i > 0 { // the first one fills the cache
			r.Add("apply-ready", "", took.Seconds())
		}
	}
	mb, err := resident()
	r.Add("up-memory-services", "", mb)
	return err
}

// resident returns the memory, in MB, of the `serin up` that this process
// started, and of its etcd.
func resident() (float64, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return 0, err
	}
	stats := map[int]procfs.ProcStat{}
	for _, p := range all {
		if stat, err := p.Stat(); err == nil { // others have ended
			stats[stat.PID] = stat
		}
	}
	bytes := 0
	for _, stat := range stats {
		if stat.Comm == "serin" && stat.PPID == os.Getpid() || stat.Comm == "serin-etcd" && stats[stat.PPID].PPID == os.Getpid() {
			bytes += stat.ResidentMemory()
		}
	}
	return float64(bytes) / (1 << 20), nil
}

// applyUntilReady creates a service of the example model and waits for Ready.
func applyUntilReady(ctx context.Context, services dynamic.ResourceInterface, dir, name string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
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
