// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/serin-dev/serin/internal/autoscaler"
	"github.com/serin-dev/serin/internal/controller"
	"github.com/serin-dev/serin/internal/render"
	"github.com/serin-dev/serin/internal/supervise"
)

// Writes to die after, besides their numbers.
const (
	never       = 0
	beforeFirst = -1
)

// faultyController is a program: serin-controller as it is, for one namespace,
// which kills itself (-9) as soon as its Nth write has succeeded. It prints
// every write before that.
//
//	faulty-controller KUBECONFIG MODEL-CACHE NAMESPACE N
func faultyController() {
	go func() { // until the test that started it is gone
		_, _ = io.Copy(io.Discard, os.Stdin)
		die()
	}()
	if err := runFaulty(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, "faulty-controller:", err)
		os.Exit(1)
	}
}

func runFaulty(kubeconfig, cache, namespace, n string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	f := &faulty{namespace: namespace}
	if f.last, err = strconv.ParseInt(n, 10, 64); err != nil {
		return err
	}
	config.Wrap(f.wrap)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	parts := supervise.New()
	parts.Start("controller", func(ctx context.Context) error {
		return controller.Run(ctx, controller.Config{
			REST:   config,
			Domain: "example.com",
			Render: render.Options{FetchImage: "serin/fetch", QueueImage: "serin/queue", ModelCache: cache},
			Log:    log,
		})
	})
	parts.Start("autoscaler", func(ctx context.Context) error {
		return autoscaler.Run(ctx, autoscaler.Config{REST: rest.CopyConfig(config), Log: log})
	})
	return <-parts.Failed()
}

// faulty is where the writes are counted: between the program and the API.
type faulty struct {
	namespace string
	last      int64 // the write to die after
	count     atomic.Int64
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (f *faulty) wrap(next http.RoundTripper) http.RoundTripper {
	return transport(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodGet {
			r = r.Clone(r.Context())
			r.URL.Path = within(r.URL.Path, f.namespace)
			return next.RoundTrip(r)
		}
		if f.last == beforeFirst {
			die()
		}
		res, err := next.RoundTrip(r)
		if err == nil && res.StatusCode < 300 {
			fmt.Println(r.Method, r.URL.Path)
			if f.count.Add(1) == f.last {
				die()
			}
		}
		return res, err
	})
}

// die is what the kernel does to a program that uses too much memory.
func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the others may still run for a moment, this must not
}

// within makes of the path of a collection in all namespaces that of the one
// in a namespace: several controllers can then work beside each other.
func within(path, namespace string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	prefix := map[string]int{"api": 2, "apis": 3}[parts[0]] // what comes before the resource
	if len(parts) != prefix+1 || parts[prefix] == "namespaces" || strings.HasPrefix(parts[prefix], "cluster") {
		return path
	}
	return "/" + strings.Join(append(parts[:prefix:prefix], "namespaces", namespace, parts[prefix]), "/")
}
