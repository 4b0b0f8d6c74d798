// SPDX-License-Identifier: Apache-2.0

// Package crash kills the controller, on the running system, between any two of
// its writes, and compares how a rollout ends then with how it ends otherwise.
package crash

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/local/bucket"
	"github.com/serin-dev/serin/internal/local/models"
	"github.com/serin-dev/serin/internal/testkit/eventually"
	"github.com/serin-dev/serin/internal/testkit/kubetest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"faulty-controller": faultyController})
}

// walkThrough is every kind of change that a rollout knows.
var walkThrough = []struct{ name, annotations, predictor, traffic string }{
	{
		name: "first model", traffic: "100 00001",
		predictor: `{model: {args: ["--enable_docs_url=True"], modelFormat: {name: sklearn}, runtime: kserve-sklearnserver, storageUri: "gs://kfserving-examples/models/sklearn/1.0/model"}}`,
	},
	{
		name: "canary", traffic: "10 00002, 90 00001",
		predictor: `{canaryTrafficPercent: 10, model: {args: ["--enable_docs_url=True"], modelFormat: {name: sklearn}, runtime: kserve-sklearnserver, storageUri: "gs://kfserving-examples/models/sklearn/1.0/model-2"}}`,
	},
	{
		name: "promotion", traffic: "100 00002",
		predictor: `{model: {args: ["--enable_docs_url=True"], modelFormat: {name: sklearn}, runtime: kserve-sklearnserver, storageUri: "gs://kfserving-examples/models/sklearn/1.0/model-2"}}`,
	},
	{
		name: "rollback", traffic: "0 00003, 100 00001",
		predictor: `{canaryTrafficPercent: 0, model: {modelFormat: {name: sklearn}, storageUri: "gs://kfserving-examples/models/sklearn/1.0/model-2"}}`,
	},
	{
		name: "tags", traffic: "10 00003, 90 00001", annotations: `{serving.kserve.io/enable-tag-routing: "true"}`,
		predictor: `{canaryTrafficPercent: 10, model: {modelFormat: {name: sklearn}, storageUri: "gs://kfserving-examples/models/sklearn/1.0/model-2"}}`,
	},
	{ // the autoscaler's turn
		name: "more replicas", traffic: "10 00003, 90 00001", annotations: `{serving.kserve.io/enable-tag-routing: "true"}`,
		predictor: `{minReplicas: 2, canaryTrafficPercent: 10, model: {modelFormat: {name: sklearn}, storageUri: "gs://kfserving-examples/models/sklearn/1.0/model-2"}}`,
	},
	{ // the second revision, of which only the record is left by now
		name: "back from history", traffic: "100 00002", annotations: `{serving.kserve.io/enable-tag-routing: "true"}`,
		predictor: `{model: {args: ["--enable_docs_url=True"], modelFormat: {name: sklearn}, runtime: kserve-sklearnserver, storageUri: "gs://kfserving-examples/models/sklearn/1.0/model-2"}}`,
	},
}

// certain is how many writes a new revision takes, whatever the timing: two
// objects, the digest of its model, the ConfigMap with that, an event, and the
// status.
const certain = 6

// In every step of the walk-through the controller is killed after each of its
// writes, or the API refuses some of them for a while. Each step ends in the same
// state as without that, and no request fails meanwhile.
func TestCrashesAndRefusedWritesAreHarmless(t *testing.T) {
	c := startCluster(t)
	var want []end
	var most int
	t.Run("no crash", func(t *testing.T) {
		for i, e := range c.walk(t, fault{}, nil) {
			want = append(want, e)
			most = max(most, len(e.writes))
			for n, w := range e.writes {
				t.Logf("%-12s write %2d: %s", walkThrough[i].name, n+1, w)
			}
		}
	})
	for n := range most + 1 { // in each step after write n, or before the first
		t.Run(fmt.Sprintf("after write %d", n), func(t *testing.T) {
			t.Parallel()
			var died []string
			after := n
			if n == 0 {
				after = beforeFirst
			}
			for i, e := range c.walk(t, fault{after: after}, want) {
				if len(e.writes) == n {
					died = append(died, walkThrough[i].name)
				}
			}
			t.Logf("died in: %s", strings.Join(died, ", "))
			if n <= certain && len(died) == 0 {
				t.Errorf("no step has %d writes", n)
			}
		})
	}
	for seed := 1; seed <= *seeds; seed++ {
		t.Run(fmt.Sprintf("writes refused, subset %d", seed), func(t *testing.T) {
			t.Parallel()
			var refused []string
			for i, e := range c.walk(t, fault{refuse: seed}, want) {
				for _, w := range e.writes {
					if w, ok := strings.CutPrefix(w, "refused "); ok {
						refused = append(refused, walkThrough[i].name+": "+w)
					}
				}
			}
			if len(refused) == 0 {
				t.Error("nothing was refused")
			}
			t.Logf("refused:\n%s", strings.Join(refused, "\n"))
		})
	}
}

// seeds is how many subsets of writes the API refuses, each in a namespace.
var seeds = flag.Int("subsets", 6, "how many subsets of refused writes to try")

// cluster is everything but the controller, and a store of models.
type cluster struct {
	*kubetest.Server
	api dynamic.Interface
}

func startCluster(t *testing.T) cluster {
	t.Helper()
	emulator, err := bucket.Start(t.Context(), models.Bucket())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("STORAGE_EMULATOR_HOST", emulator)
	server, err := kubetest.Start(t.Context(), "--without=controller")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	api, err := dynamic.NewForConfig(server.REST)
	if err != nil {
		t.Fatal(err)
	}
	return cluster{server, api}
}

// end is the outcome of a step.
type end struct {
	state   string
	reasons map[string]bool // of events
	writes  []string        // of the controller that began the step
}

// walk goes through all steps in a namespace of its own. In each, the
// controller dies after its nth write and is started again. A step is over when
// the state is as wanted; without anything wanted, when it has settled.
func (c cluster) walk(t *testing.T, what fault, want []end) (ends []end) {
	t.Helper()
	namespace := c.newNamespace(t)
	for i, step := range walkThrough {
		stop := c.control(t, namespace, what)
		c.apply(t, namespace, step.annotations, step.predictor)
		var e end
		quiet := unchanged()
		eventually.Holds(t, func(ctx context.Context) (saw any, ok bool) {
			e, saw = c.look(ctx, namespace, step.traffic)
			if want == nil {
				return saw, saw == "" && quiet(e.state)
			}
			if saw == "" {
				saw = "in step " + step.name + " (-without a crash, +with):\n" + cmp.Diff(want[i].state, e.state) + cmp.Diff(want[i].reasons, e.reasons)
			}
			return saw, e.state == want[i].state && covered(want[i].reasons, e.reasons)
		})
		e.writes = stop()
		ends = append(ends, e)
		if i == 0 {
			c.askOften(t, namespace)
		}
	}
	return ends
}

// unchanged returns a function that reports whether it was called with the same
// value for about a second.
func unchanged() func(string) bool {
	var last string
	times := 0
	return func(s string) bool {
		if s != last {
			last, times = s, 0
		}
		times++
		return times == 50 // about a second
	}
}

func covered(want, have map[string]bool) bool {
	for k := range want {
		if !have[k] {
			return false
		}
	}
	return true
}

// look returns the state, and the reason if it has not settled.
func (c cluster) look(ctx context.Context, namespace, traffic string) (e end, unsettled string) {
	s, err := c.service(ctx, namespace)
	if err != nil {
		return e, err.Error()
	}
	if left, err := c.age(ctx, s); err != nil || len(left) > 0 {
		return e, fmt.Sprint("Deployments of history: ", left, err)
	}
	if e.state, err = state(ctx, c.api, namespace); err != nil {
		return e, err.Error()
	}
	if e.reasons, err = reasons(ctx, c.api, namespace); err != nil {
		return e, err.Error()
	}
	if i := slices.IndexFunc(s.Status.Conditions, func(c v1beta1.Condition) bool {
		return c.Type == v1beta1.ConditionReady && c.Status == metav1.ConditionTrue
	}); i < 0 || s.Status.ObservedGeneration != s.Generation {
		return e, "not Ready: " + e.state
	}
	var shares []string
	for _, t := range s.Status.Components[v1beta1.Predictor].Traffic {
		shares = append(shares, fmt.Sprintf("%d %s", *t.Percent, t.RevisionName[len("iris-predictor-"):]))
	}
	if got := strings.Join(shares, ", "); got != traffic {
		return e, "traffic " + got
	}
	return e, ""
}

func (c cluster) service(ctx context.Context, namespace string) (*v1beta1.InferenceService, error) {
	u, err := c.api.Resource(v1beta1.Resource).Namespace(namespace).Get(ctx, "iris", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	var s v1beta1.InferenceService
	y, err := u.MarshalJSON()
	if err == nil {
		err = yaml.Unmarshal(y, &s)
	}
	return &s, err
}

// newNamespace makes a namespace for the test, and waits for the account that Pods run as.
func (c cluster) newNamespace(t *testing.T) string {
	t.Helper()
	ns := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"generateName": "crash-"},
	}}
	namespaces := c.api.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"})
	ns, err := namespaces.Create(t.Context(), ns, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // the node has room for a few only
		if err := namespaces.Delete(context.Background(), ns.GetName(), metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	accounts := c.api.Resource(schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}).Namespace(ns.GetName())
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		_, err := accounts.Get(ctx, "default", metav1.GetOptions{})
		return err, err == nil
	})
	return ns.GetName()
}

// apply does what `kubectl apply --server-side` does.
func (c cluster) apply(t *testing.T, namespace, annotations, predictor string) {
	t.Helper()
	manifest := fmt.Sprintf(`{apiVersion: serving.kserve.io/v1beta1, kind: InferenceService, metadata: {name: iris, annotations: %s}, spec: {predictor: %s}}`,
		annotations, predictor)
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &u.Object); err != nil {
		t.Fatal(err)
	}
	if _, err := c.api.Resource(v1beta1.Resource).Namespace(namespace).Apply(t.Context(), "iris", u, metav1.ApplyOptions{FieldManager: "test", Force: true}); err != nil {
		t.Fatal(err)
	}
}

// control runs the controller of a namespace until stop: one that dies after
// its nth write, then one that does not. The writes are those of the first.
func (c cluster) control(t *testing.T, namespace string, what fault) (stop func() (writes []string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	var out bytes.Buffer
	go func() {
		defer close(done)
		for first := true; ctx.Err() == nil; first = false {
			p := exec.CommandContext(ctx, "faulty-controller", c.Kubeconfig, filepath.Join(c.Dir, "models"), namespace, fmt.Sprint(what.after), fmt.Sprint(what.refuse))
			p.Stderr = os.Stderr
			if first {
				p.Stdout = &out
			}
			if _, err := p.StdinPipe(); err != nil { // it dies when this process does
				t.Error(err)
				return
			}
			if err := p.Run(); what.after == never && ctx.Err() == nil {
				t.Errorf("controller of %s: %v", namespace, err)
				return
			}
			what.after = never
		}
	}()
	return func() []string {
		cancel()
		<-done
		return strings.FieldsFunc(out.String(), func(r rune) bool { return r == '\n' })
	}
}
