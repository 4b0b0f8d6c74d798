// SPDX-License-Identifier: Apache-2.0

package action

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
)

// world is an API with one service, and the rules of package rollout at work.
type world struct {
	service   *unstructured.Unstructured
	records   []appsv1.ControllerRevision
	health    map[string]rollout.Health
	broken    map[string]bool // models that do not load
	deployed  map[string]bool // revisions that have a Deployment
	now       time.Time
	slow      bool
	unseen    bool // the controller is away
	unwritten bool // records do not hold specs
}

func newWorld() *world {
	w := &world{
		service: &unstructured.Unstructured{Object: map[string]any{}},
		health:  map[string]rollout.Health{},
		broken:  map[string]bool{},
		now:     time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	w.service.SetGroupVersionKind(v1beta1.Kind)
	w.service.SetNamespace("ns")
	w.service.SetName("iris")
	w.service.SetUID("uid")
	return w
}

// apply is the user's kubectl apply of a predictor's fields, written as YAML.
func (w *world) apply(predictor string) error {
	var p map[string]any
	if err := yaml.Unmarshal([]byte(predictor), &p); err != nil {
		return err
	}
	w.service.Object["spec"] = map[string]any{"predictor": p}
	w.changed()
	return nil
}

func (w *world) changed() {
	w.service.SetGeneration(w.service.GetGeneration() + 1)
}

// patch is what the API server does with a Change.
func (w *world) patch(c Change) error {
	if c.Patch == nil {
		return nil
	}
	before, err := w.service.MarshalJSON()
	if err != nil {
		return err
	}
	after, err := jsonpatch.MergePatch(before, c.Patch)
	if err != nil {
		return err
	}
	w.changed()
	generation := w.service.GetGeneration()
	w.service = &unstructured.Unstructured{}
	if err := w.service.UnmarshalJSON(after); err != nil {
		return err
	}
	w.service.SetGeneration(generation)
	return nil
}

func (w *world) typed() *v1beta1.InferenceService {
	s := &v1beta1.InferenceService{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(w.service.Object, s); err != nil {
		panic(err)
	}
	return s
}

// control decides until nothing changes, as the controller would.
func (w *world) control() error {
	for range 3 {
		if w.unseen || w.service.Object["spec"] == nil {
			return nil
		}
		s := w.typed()
		p := rollout.Decide(w.input(s))
		w.deployed = map[string]bool{}
		for _, r := range p.Revisions {
			w.deployed[r.Name] = r.Deployed
		}
		if n := p.New(); n != nil {
			if err := w.record(n, s); err != nil {
				return err
			}
		}
		status, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&p.Status)
		if err != nil {
			return err
		}
		w.service.Object["status"] = status
		w.now = w.now.Add(time.Second)
	}
	return nil
}

func (w *world) input(s *v1beta1.InferenceService) rollout.Input {
	in := rollout.Input{Service: s, Domain: "example.com", Min: least(s), Now: w.now}
	in.Target = rollout.Target{Hash: render.Hash(&s.Spec.Predictor), Model: render.Model(&s.Spec.Predictor)}
	if strings.Contains(in.Target.Model, "no-runtime") {
		in.Target = rollout.Target{Invalid: &rollout.Invalid{Reason: v1beta1.NoSupportingRuntime, Message: "no runtime serves this model"}}
	}
	for _, cr := range w.records {
		var rec record
		if err := json.Unmarshal(cr.Data.Raw, &rec); err != nil {
			panic(err)
		}
		in.Revisions = append(in.Revisions, rollout.Revision{
			Name: cr.Name, Number: int(cr.Revision), Hash: rec.Hash, Model: rec.Model,
			Health: rollout.HealthOf(rollout.Observed{Pods: w.pods(cr.Name)}), Deployed: w.deployed[cr.Name], Drained: len(w.pods(cr.Name)) == 0,
		})
	}
	n := rollout.NextNumber(s.Name, in.Revisions, s.Status.Components[v1beta1.Predictor])
	in.Next = rollout.Revision{Name: v1beta1.Predictor.RevisionName(s.Name, n), Number: n}
	return in
}

// record makes a revision of the spec; its Pod is ready, or fails, at once.
func (w *world) record(n *rollout.PlannedRevision, s *v1beta1.InferenceService) error {
	p, _, _ := unstructured.NestedMap(w.service.Object, "spec", "predictor")
	maps.DeleteFunc(p, func(field string, _ any) bool {
		return field == "canaryTrafficPercent" || slices.Contains(kept, field)
	})
	rec := record{Hash: render.Hash(&s.Spec.Predictor), Model: render.Model(&s.Spec.Predictor), ClusterRuntime: "kserve-sklearnserver", Spec: p}
	if w.unwritten {
		rec.Spec = nil
	}
	raw, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	cr := appsv1.ControllerRevision{Revision: int64(n.Number), Data: runtime.RawExtension{Raw: raw}}
	cr.Name = n.Name
	cr.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(w.service, v1beta1.Kind)}
	w.records = append(w.records, cr)
	if !w.slow {
		w.health[n.Name] = rollout.Health{Ready: 1}
	}
	if w.broken[rec.Model] {
		w.health[n.Name] = rollout.Health{Failed: 1}
	}
	return nil
}

// read is what a person's program reads of this world.
func (w *world) read() (*Rollout, error) {
	o := Objects{Service: w.service, Records: w.records}
	for _, cr := range w.records {
		if !w.deployed[cr.Name] {
			continue
		}
		pods := w.pods(cr.Name)
		replicas := int32(len(pods))
		d := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: v1beta1.DeploymentName(cr.Name), Labels: w.labels(cr.Name)}}
		d.Spec.Replicas = &replicas
		o.Deployments = append(o.Deployments, d)
		o.Pods = append(o.Pods, pods...)
	}
	return Read(o)
}

func (w *world) labels(revision string) map[string]string {
	return map[string]string{v1beta1.LabelRevision: revision}
}

// pods are those of a revision, the ready ones first.
func (w *world) pods(revision string) []corev1.Pod {
	var out []corev1.Pod
	h := w.health[revision]
	for i := range h.Ready + h.Failed {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", revision, i), Labels: w.labels(revision)}}
		if i < h.Ready {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		} else if h.Failure != nil && h.Failure.Reason == v1beta1.ModelChanged {
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{{
				Name:  v1beta1.ContainerFetch,
				State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: v1beta1.ExitOtherModel, Message: "the model is another now"}},
			}}
		} else {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{
				Name:  v1beta1.ContainerModel,
				State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: "not a scikit-learn model"}},
			}}
		}
		out = append(out, p)
	}
	return out
}
