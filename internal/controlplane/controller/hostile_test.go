// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/cli/migrate"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
	"github.com/serin-dev/serin/internal/testkit/hostile"
)

// What the controller's caches hold of a service that has a canary.
var valid = map[string]string{
	"service": `{apiVersion: serving.kserve.io/v1beta1, kind: InferenceService,
metadata: {name: iris, namespace: team, uid: u1, resourceVersion: "7", generation: 2, creationTimestamp: "2026-01-01T00:00:00Z", labels: {team: a},
  annotations: {serin.dev/sticky: "header:X-User", autoscaling.knative.dev/target: "10", autoscaling.knative.dev/window: 60s, serving.kserve.io/enable-tag-routing: "true"}},
spec: {predictor: {minReplicas: 1, maxReplicas: 3, canaryTrafficPercent: 10, containerConcurrency: 2, timeout: 60, labels: {tier: gold}, annotations: {note: x},
  volumes: [{name: v, emptyDir: {sizeLimit: 1Gi}}],
  model: {modelFormat: {name: sklearn, version: "1"}, runtimeVersion: v2, protocolVersion: v1, storageUri: "gs://b/m", args: ["--name={{.Name}}"], env: [{name: A, value: "{{.Labels.team}}"}],
    ports: [{containerPort: 8080}], resources: {limits: {cpu: "1", memory: 1Gi}}, readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 3}, volumeMounts: [{name: v, mountPath: /v}]}}},
status: {url: "http://iris.team.example.com", observedGeneration: 2, conditions: [{type: Ready, status: "True", lastTransitionTime: "2026-01-01T00:00:00Z"}, {type: LatestDeploymentReady, status: "True"}],
  modelStatus: {transitionStatus: UpToDate, states: {activeModelState: Loaded}, copies: {failedCopies: 0, totalCopies: 1}, lastFailureInfo: {reason: ModelLoadFailed, message: no, time: "2026-01-01T00:00:00Z"}},
  components: {predictor: {url: "http://iris-predictor.team.example.com", latestRolledoutRevision: iris-predictor-00001, latestReadyRevision: iris-predictor-00002, latestCreatedRevision: iris-predictor-00002,
    traffic: [{revisionName: iris-predictor-00002, percent: 10, latestRevision: true, tag: latest}, {revisionName: iris-predictor-00001, percent: 90, tag: prev}]}}}}`,
	"rival": `{apiVersion: serving.kserve.io/v1beta1, kind: InferenceService, metadata: {name: iris-predictor, namespace: team, uid: u2, creationTimestamp: "2025-01-01T00:00:00Z"}, spec: {predictor: {}},
status: {url: "http://iris-predictor.team.example.com", components: {predictor: {traffic: [{tag: prev, url: "http://prev-iris-predictor-predictor.team.example.com"}]}}}}`,
	"record": `{apiVersion: apps/v1, kind: ControllerRevision, metadata: {name: iris-predictor-00001, namespace: team, uid: r1, creationTimestamp: "2026-01-01T00:00:00Z", labels: {serving.kserve.io/inferenceservice: iris},
  ownerReferences: [{apiVersion: serving.kserve.io/v1beta1, kind: InferenceService, name: iris, uid: u1, controller: true}]}, revision: 1,
data: {hash: h, model: sklearn gs://b/m, spec: {model: {modelFormat: {name: sklearn}}, containerConcurrency: 1}, pod: {metadata: {labels: {a: b}}, spec: {containers: [{name: kserve-container, image: i, resources: {limits: {cpu: 1}}}]}}}}`,
	"deployment": `{apiVersion: apps/v1, kind: Deployment, metadata: {name: iris-predictor-00001-deployment, namespace: team, uid: d1, labels: {serving.kserve.io/inferenceservice: iris, serving.knative.dev/revision: iris-predictor-00001},
  annotations: {serin.dev/active: "false", serin.dev/idle-since: "2026-01-01T00:00:00Z", serin.dev/min-replicas: "1", serin.dev/max-replicas: "3"},
  ownerReferences: [{apiVersion: serving.kserve.io/v1beta1, kind: InferenceService, name: iris, uid: u1, controller: true}]},
spec: {replicas: 1, selector: {matchLabels: {a: b}}, template: {spec: {containers: [{name: kserve-container, image: i, readinessProbe: {tcpSocket: {port: p}, periodSeconds: 1}, livenessProbe: {httpGet: {port: 1}}, ports: [{name: p, containerPort: 8080}]}]}}}, status: {readyReplicas: 1, conditions: [{type: Progressing, status: "False", reason: Late, message: late}]}}`,
	"pod": `{apiVersion: v1, kind: Pod, metadata: {name: iris-1, namespace: team, uid: p1, creationTimestamp: "2026-01-02T00:00:00Z", labels: {serving.knative.dev/revision: iris-predictor-00001, serving.kserve.io/inferenceservice: iris},
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: iris-predictor-00001-deployment-5d4f, uid: r, controller: true}]},
status: {phase: Running, podIP: 10.1.2.3, conditions: [{type: Ready, status: "True"}, {type: PodScheduled, status: "False", reason: Unschedulable, message: no}],
  containerStatuses: [{name: kserve-container, ready: false, state: {waiting: {reason: ErrImagePull, message: m}}, lastState: {terminated: {exitCode: 1, message: "a\nb"}}}]}}`,
	"late": `{apiVersion: v1, kind: Pod, metadata: {name: iris-2, namespace: team, uid: p2, creationTimestamp: "2026-01-02T00:00:00Z", labels: {serving.knative.dev/revision: iris-predictor-00001, serving.kserve.io/inferenceservice: iris},
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: iris-predictor-00001-deployment-5d4f, uid: r, controller: true}]},
status: {phase: Running, conditions: [{type: PodScheduled, status: "True"}, {type: ContainersReady, status: "False", lastTransitionTime: "2026-01-02T00:00:00Z"}],
  initContainerStatuses: [{name: check, state: {terminated: {exitCode: 0, finishedAt: "2026-01-02T00:00:00Z"}}}],
  containerStatuses: [{name: kserve-container, started: true, state: {running: {startedAt: "2026-01-02T00:00:00Z"}}}, {name: other, state: {waiting: {reason: ContainerCreating, message: m}}}]}}`,
	"event": `{apiVersion: v1, kind: Event, metadata: {name: e, namespace: team}, involvedObject: {kind: Pod, name: iris-2, uid: p2, fieldPath: "spec.containers{kserve-container}"}, type: Warning, reason: Unhealthy,
  lastTimestamp: "2026-01-02T01:00:00Z", message: "Readiness probe failed: connection refused", series: {count: 1, lastObservedTime: "2026-01-02T01:00:00.000000Z"}}`,
	"runtime": `{apiVersion: serving.kserve.io/v1alpha1, kind: ClusterServingRuntime, metadata: {name: kserve-sklearnserver, uid: c1, creationTimestamp: "2026-01-01T00:00:00Z"},
spec: {protocolVersions: [v1], supportedModelFormats: [{name: sklearn, version: "1", autoSelect: true, priority: 1}], annotations: {a: b}, volumes: [{name: w, emptyDir: {}}], nodeSelector: {a: b},
  containers: [{name: kserve-container, image: "serin/modelserver:latest", args: ["--model_name={{.Name}}"], env: [{name: B, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}], resources: {requests: {cpu: 50m}}}]}}`,
}

// eventsAPI has no object that the caches do not have, but for an event.
type eventsAPI struct {
	client.Reader
	event corev1.Event
}

func (a *eventsAPI) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if events, ok := list.(*corev1.EventList); ok {
		events.Items = []corev1.Event{a.event}
	}
	return nil
}

// hostileWorld is a reconciler whose caches hold mutated objects, packed as an
// informer does. Objects that are no objects of their kind any more never come
// out of a client's decoder, and are left out.
func hostileWorld(t *testing.T, rng *rand.Rand) (r *reconciler, size int) {
	t.Helper()
	r = &reconciler{Config: Config{Domain: "example.com", Router: "router.serin-system.svc.cluster.local", Render: render.Options{FetchImage: "f", QueueImage: "q"}}, caches: newCaches(), api: &eventsAPI{}}
	for _, k := range r.caches.all() {
		k.Indexer = toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, toolscache.Indexers{byService: serviceIndex})
	}
	if err := r.caches.services.AddIndexers(nameIndex); err != nil {
		t.Fatal(err)
	}
	for _, o := range []struct {
		name string
		into *kind
		kind client.Object
	}{
		{"rival", r.caches.services, nil},
		{"service", r.caches.services, nil},
		{"record", r.caches.revisions, &appsv1.ControllerRevision{}},
		{"deployment", r.caches.deployments, &appsv1.Deployment{}},
		{"pod", r.caches.pods, &corev1.Pod{}},
		{"late", r.caches.pods, &corev1.Pod{}},
		{"event", nil, &corev1.Event{}},
		{"runtime", r.caches.clusterRuntimes, nil},
	} {
		var tree map[string]any
		if err := yaml.Unmarshal([]byte(valid[o.name]), &tree); err != nil {
			t.Fatal(err)
		}
		if rng.IntN(2) == 0 {
			kept := tree["metadata"]
			if tree = hostile.Mutate(rng, tree); rng.IntN(4) > 0 {
				tree["metadata"] = kept // else its service is seldom found
			}
		}
		tree["apiVersion"], tree["kind"] = "v1", "K"
		b, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		object := o.kind
		if object == nil {
			u := &unstructured.Unstructured{}
			if u.UnmarshalJSON(b) != nil {
				continue
			}
			object = u
		} else if strings.Contains(string(b), "1e-999999999") || json.Unmarshal(b, object) != nil {
			continue
		}
		size += len(b)
		if event, is := object.(*corev1.Event); is {
			r.api = &eventsAPI{event: *event}
			continue
		}
		packed, err := o.into.Transform(object)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.into.Add(packed); err != nil {
			t.Fatal(err)
		}
	}
	return r, size
}

var admission = func() *migrate.Admission {
	a, err := migrate.NewAdmission("inferenceservices.yaml")
	if err != nil {
		panic(err)
	}
	return a
}()

var hostileNow = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)

// reconcileHostile decides about what strangers may have stored, up to the
// objects that would be written. The status must be one that the API takes.
func reconcileHostile(t *testing.T, seed uint64) {
	t.Helper()
	r, size := hostileWorld(t, rand.New(rand.NewPCG(seed, 2))) //nolint:gosec // a test's
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := r.gather(t.Context(), types.NamespacedName{Namespace: "team", Name: "iris"}, hostileNow)
	if err != nil || s == nil {
		return // this service alone is tried again, or gone
	}
	plan := s.decide(r.Config, hostileNow)
	for _, o := range s.objects(plan, r.Config) {
		if _, err := json.Marshal(o.object); err != nil {
			t.Errorf("an object cannot be written: %v", err)
		}
	}
	runtime.ReadMemStats(&after)
	if spent := after.TotalAlloc - before.TotalAlloc; spent > uint64(400*size+32<<20) {
		t.Errorf("%d bytes for objects of %d", spent, size)
	}
	checkPlan(t, plan)
}

func checkPlan(t *testing.T, plan rollout.Plan) {
	t.Helper()
	sum := int64(0)
	for _, share := range plan.Status.Components[v1beta1.Predictor].Traffic {
		if sum += *share.Percent; *share.Percent < 0 {
			t.Errorf("a share of %+v", share)
		}
	}
	if sum != 0 && sum != 100 {
		t.Errorf("the shares sum to %d", sum)
	}
	manifest, err := json.Marshal(map[string]any{
		"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": map[string]any{"name": "iris"},
		"spec": map[string]any{"predictor": map[string]any{"model": map[string]any{"modelFormat": map[string]any{"name": "sklearn"}}}}, "status": plan.Status,
	})
	if err != nil {
		t.Fatal(err)
	}
	says, err := admission.Create(t.Context(), manifest)
	if err != nil || len(says) > 0 {
		t.Errorf("the API would not take the status: %.500v, %v", says, err)
	}
}

func TestHostileObjects(t *testing.T) {
	for seed := range uint64(300) {
		if reconcileHostile(t, seed); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzHostileObjects(f *testing.F) {
	f.Add(uint64(0))
	f.Fuzz(reconcileHostile)
}
