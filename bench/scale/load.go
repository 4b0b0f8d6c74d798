// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
)

func name(i int) string { return fmt.Sprintf("iris-%d", i) }

// each calls do for every service, some at a time, and shows the progress.
func (s *system) each(ctx context.Context, services int, do func(context.Context, int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	var done atomic.Int64
	for i := range services {
		g.Go(func() error {
			if n := done.Add(1); n%1000 == 0 {
				fmt.Printf("  %d\n", n)
			}
			return do(ctx, i)
		})
	}
	return g.Wait()
}

func (s *system) create(ctx context.Context, i int) error {
	_, err := s.objects.Resource(v1beta1.Resource).Namespace(namespace(i)).Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1beta1.GroupVersion.String(),
		"kind":       "InferenceService",
		"metadata":   map[string]any{"name": name(i)},
		"spec": map[string]any{"predictor": map[string]any{"model": map[string]any{
			"modelFormat": map[string]any{"name": "sklearn"},
			"storageUri":  "gs://bucket/one",
		}}},
	}}, metav1.CreateOptions{})
	return err
}

func (s *system) canary(ctx context.Context, i int) error {
	return s.patch(ctx, i, `{"spec":{"predictor":{"canaryTrafficPercent":0,"model":{"storageUri":"gs://bucket/two"}}}}`)
}

func (s *system) patch(ctx context.Context, i int, patch string) error {
	_, err := s.objects.Resource(v1beta1.Resource).Namespace(namespace(i)).Patch(ctx, name(i), types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}

// condition reports whether a service is as it should be.
type condition func(*unstructured.Unstructured) bool

// ready reports whether a service is Ready.
func ready(u *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["type"] == "Ready" {
			return c["status"] == "True"
		}
	}
	return false
}

// split reports whether a service has two revisions and the newer is ready.
func split(u *unstructured.Unstructured) bool {
	latest, _, _ := unstructured.NestedString(u.Object, "status", "components", "predictor", "latestReadyRevision")
	return ready(u) && strings.HasSuffix(latest, "-00002")
}

// stuck is the longest time without progress.
const stuck = time.Minute

// await lists now and then until all services fulfil a condition.
func (s *system) await(ctx context.Context, what string, services int, fulfils condition) error {
	best, since := -1, time.Now()
	for {
		n := 0
		list, err := s.objects.Resource(v1beta1.Resource).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for i := range list.Items {
			if fulfils(&list.Items[i]) {
				n++
			}
		}
		if n == services {
			return nil
		}
		if n > best {
			best, since = n, time.Now()
			fmt.Printf("  %s: %d\n", what, n)
		}
		if time.Since(since) > stuck {
			return fmt.Errorf("%s: no more than %d services for %v", what, n, stuck)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Second):
		}
	}
}

// quiet is the work that is done while nothing changes.
type quiet struct {
	controller, router float64 // seconds of CPU
	requests           int
}

func (s *system) watchQuiet(ctx context.Context, pause time.Duration) (quiet, error) {
	look := func() (q quiet, err error) {
		c, err1 := use(s.controller)
		r, err2 := use(s.router)
		q.controller, q.router = c.cpu, r.cpu
		var err3 error
		q.requests, err3 = s.apiRequests(ctx)
		return q, errors.Join(err1, err2, err3)
	}
	during := func(d time.Duration) (quiet, error) {
		before, err := look()
		if err != nil {
			return before, err
		}
		select {
		case <-ctx.Done():
			return before, ctx.Err()
		case <-time.After(d):
		}
		after, err := look()
		return quiet{after.controller - before.controller, after.router - before.router, after.requests - before.requests}, err
	}
	// Earlier changes have late effects: the last statuses of Pods and Deployments.
	for begin := time.Now(); ; {
		q, err := during(settled)
		if err != nil {
			return q, err
		}
		if q.requests == 0 && q.controller < 0.05 {
			fmt.Printf("settled after %.0f s\n", time.Since(begin).Seconds())
			break
		}
		if time.Since(begin) > stuck {
			return q, fmt.Errorf("no rest: in the last %v, controller %.2f s of CPU and %d requests", settled, q.controller, q.requests)
		}
	}
	return during(pause)
}

// settled is how long nothing must happen before the quiet is measured.
const settled = 5 * time.Second

// counted matches requests for the objects of a rollout. It leaves out leases,
// events of nodes, and watches.
var counted = regexp.MustCompile(`^apiserver_request_total\{.*resource="(inferenceservices|controllerrevisions|deployments|services|replicasets|pods|events)".*verb="(GET|LIST|POST|PUT|PATCH|APPLY|DELETE)"`)

// apiRequests asks the API server how many it had.
func (s *system) apiRequests(ctx context.Context) (int, error) {
	said, err := s.client.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return 0, err
	}
	total := 0.0
	for lines := bufio.NewScanner(bytes.NewReader(said)); lines.Scan(); {
		if line := lines.Text(); counted.MatchString(line) {
			n, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
			if err != nil {
				return 0, err
			}
			total += n
		}
	}
	return int(total), nil
}

// changes are single ones, one after the other.
type changes struct {
	took     []float64 // milliseconds
	requests int
}

// change gives the canary of some services 99% of the traffic, and takes it
// away again. It waits each time until the router answers from the new revision
// twice in a row, which a share of one percent never does.
func (s *system) change(ctx context.Context, times, services int) (changes, error) {
	var c changes
	before, err := s.apiRequests(ctx)
	if err != nil {
		return c, err
	}
	for n := range times {
		i := n / 2 * 7919 % services // both ways, and all over the place
		percent, revision := 99, name(i)+"-predictor-00002"
		if n%2 == 1 {
			percent, revision = 0, name(i)+"-predictor-00001"
		}
		begin := time.Now()
		if err := s.patch(ctx, i, fmt.Sprintf(`{"spec":{"predictor":{"canaryTrafficPercent":%d}}}`, percent)); err != nil {
			return c, err
		}
		for row := 0; row < 2; {
			answered, err := s.ask(ctx, i)
			if err != nil {
				return c, err
			}
			row++
			if answered != revision {
				row = 0
			}
			if time.Since(begin) > 30*time.Second {
				return c, fmt.Errorf("%s: after 30 s %s still answers, and not %s", name(i), answered, revision)
			}
		}
		c.took = append(c.took, float64(time.Since(begin).Microseconds())/1000)
	}
	after, err := s.apiRequests(ctx)
	c.requests = after - before
	return c, err
}

// ask sends a request, and returns the revision that answered.
func (s *system) ask(ctx context.Context, i int) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.requests+"/v1/models/"+name(i), nil)
	if err != nil {
		return "", err
	}
	req.Host = name(i) + "." + namespace(i) + ".example.com"
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, body)
	}
	return res.Header.Get("Serin-Revision"), err
}
