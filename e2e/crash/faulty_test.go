// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/serin-dev/serin/internal/controlplane/autoscaler"
	"github.com/serin-dev/serin/internal/controlplane/controller"
	"github.com/serin-dev/serin/internal/controlplane/operator"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/lifecycle"
)

// Writes to die after, besides their numbers.
const (
	never       = 0
	beforeFirst = -1
)

// fault is what goes wrong in a controller.
type fault struct {
	// after is the number of the write after which it dies.
	after int
	// refuse chooses a subset of the writes that the API refuses, and for how
	// long each; 0 chooses none.
	refuse int
}

// faultyController is a program: serin-controller as it is, for one namespace.
// It kills itself (-9) as soon as its Nth write has succeeded, and meets an API
// that refuses some writes. It prints every write that succeeded.
//
//	faulty-controller KUBECONFIG MODEL-CACHE NAMESPACE N REFUSE
func faultyController() {
	go func() { // until the test that started it is gone
		_, _ = io.Copy(io.Discard, os.Stdin)
		die()
	}()
	after, err1 := strconv.Atoi(os.Args[4])
	refuse, err2 := strconv.Atoi(os.Args[5])
	err := errors.Join(err1, err2)
	if err == nil {
		err = runFaulty(os.Args[1], os.Args[2], os.Args[3], fault{after, refuse})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "faulty-controller:", err)
		os.Exit(1)
	}
}

func runFaulty(kubeconfig, cache, namespace string, what fault) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	f := &faulty{namespace: namespace, fault: what, rounds: map[string]int{}}
	config.Wrap(f.wrap)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	parts := lifecycle.New()
	parts.Start("controller", func(ctx context.Context) error {
		return controller.Run(ctx, controller.Config{
			Config: operator.Config{REST: config, Log: log},
			Domain: "example.com",
			Render: render.Options{FetchImage: "serin/fetch", QueueImage: "serin/queue", ModelCache: cache},
		})
	})
	parts.Start("autoscaler", func(ctx context.Context) error {
		return autoscaler.Run(ctx, autoscaler.Config{Config: operator.Config{REST: config, Log: log}})
	})
	return <-parts.Failed()
}

// faulty is a transport that counts the writes of the program to the API.
type faulty struct {
	fault
	namespace string
	count     atomic.Int64
	mu        sync.Mutex
	rounds    map[string]int // refusals so far, by write
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
		if f.after == beforeFirst {
			die()
		}
		if res := f.refusal(r); res != nil {
			return res, nil
		}
		res, err := next.RoundTrip(r)
		if err == nil && res.StatusCode < 300 && !r.URL.Query().Has("dryRun") {
			fmt.Println(r.Method, r.URL.Path)
			if f.count.Add(1) == int64(f.after) {
				die()
			}
		}
		return res, err
	})
}

// refusal returns the API's refusal of a write, or nil. It refuses every second
// write up to three times, as a policy, a validation, a conflict or a broken
// webhook would.
func (f *faulty) refusal(r *http.Request) *http.Response {
	if f.refuse == 0 || strings.HasSuffix(r.URL.Path, "/events") { // which no rollout waits for
		return nil
	}
	key := r.Method + r.URL.Path
	h := fnv.New32a()
	_, _ = fmt.Fprint(h, f.refuse, strings.ReplaceAll(key, f.namespace, ""))
	chance := h.Sum32()
	f.mu.Lock()
	defer f.mu.Unlock()
	if chance%2 == 0 || f.rounds[key] > int(chance/2%3) {
		return nil
	}
	f.rounds[key]++
	status := []metav1.Status{
		{Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "a policy forbids it"},
		{Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid, Message: "it is invalid"},
		{Code: http.StatusConflict, Reason: metav1.StatusReasonConflict, Message: "it conflicts"},
		{Code: http.StatusInternalServerError, Reason: metav1.StatusReasonInternalError, Message: "a webhook does not answer"},
	}[chance/12%4]
	status.Kind, status.APIVersion, status.Status = "Status", "v1", metav1.StatusFailure
	body, _ := json.Marshal(status)
	fmt.Println("refused", r.Method, r.URL.Path)
	return &http.Response{
		StatusCode: int(status.Code), Status: http.StatusText(int(status.Code)), Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   io.NopCloser(bytes.NewReader(body)),
	}
}

// die kills the process, as the kernel does when memory runs out.
func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // other goroutines may run until the signal arrives, this one must not
}

// within turns the path of a collection in all namespaces into that of one
// namespace, so that several controllers can run side by side.
func within(path, namespace string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	prefix := map[string]int{"api": 2, "apis": 3}[parts[0]] // what comes before the resource
	if len(parts) != prefix+1 || parts[prefix] == "namespaces" || strings.HasPrefix(parts[prefix], "cluster") {
		return path
	}
	return "/" + strings.Join(append(parts[:prefix:prefix], "namespaces", namespace, parts[prefix]), "/")
}
