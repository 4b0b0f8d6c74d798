// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
)

// readModels finds the ConfigMap that tells Pods which model they must get.
func (r *reconciler) readModels(s *snapshot) error {
	all, err := of[corev1.ConfigMap](r.caches.models, s.service)
	for i := range all {
		if belongs(&all[i], s.service) && named(&all[i], s.service) {
			s.models = &all[i]
		}
	}
	return err
}

// prepareModels sees to it that no Pod of a new revision reads what an earlier one
// of that name had to get. A deleted service's ConfigMap may outlive its records,
// and a user's may have the name: while it exists, no revision starts.
func (w writer) prepareModels(ctx context.Context, s *snapshot, p rollout.Plan, revision string) error {
	ac := render.Models(s.service, digests(p))
	switch {
	case s.models == nil:
		models := &corev1.ConfigMap{}
		if err := w.create(ctx, ac, models); err != nil {
			return err
		}
		s.models = models
	case s.models.Data[revision] != "": // it was left without an owner
		if err := w.replace(ctx, ac, s.models); err != nil {
			return err
		}
		return errOutdated
	}
	return nil
}

// digests are those that Pods must be told, by revision.
func digests(p rollout.Plan) map[string]string {
	out := map[string]string{}
	for _, r := range p.Revisions {
		if r.Digest != "" {
			out[r.Name] = r.Digest
		}
	}
	return out
}

// modelsObject is the ConfigMap as it should be, if there should be one. What
// refuses it concerns the newest revision.
func (s *snapshot) modelsObject(p rollout.Plan) []wanted {
	tell := digests(p)
	if len(tell) == 0 && s.models == nil {
		return nil
	}
	newest := ""
	for _, r := range p.Revisions {
		newest = r.Name
	}
	return []wanted{{object: render.Models(s.service, tell), current: orNil(s.models), revision: newest}}
}

// recordDigests records what a plan found, once for each revision. It reports
// whether there was anything, and what the API refused.
func (w writer) recordDigests(ctx context.Context, s *snapshot, p rollout.Plan) (recorded bool, refusals []rollout.Refusal, err error) {
	for i := range s.revisions {
		r := &s.revisions[i]
		planned := p.Revision(r.record.Name)
		if planned == nil || planned.Found == "" {
			continue
		}
		record, wrong := w.recordDigest(ctx, r.record, planned.Found)
		switch {
		case wrong == nil:
			r.record, recorded = record, true
		case !errors.Is(wrong, errOutdated):
			refusals = append(refusals, rollout.Refusal{Revision: r.record.Name, Message: wrong.Error()})
		}
		err = errors.Join(err, wrong)
	}
	return recorded, refusals, err
}

// recordDigest writes over the very record that was read: what another
// controller has recorded stays.
func (w writer) recordDigest(ctx context.Context, cr *appsv1.ControllerRevision, digest string) (*appsv1.ControllerRevision, error) {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid":             cr.UID,
		"resourceVersion": cr.ResourceVersion,
		"annotations":     map[string]string{v1beta1.AnnotationModelDigest: digest},
	}})
	if err != nil {
		return nil, err
	}
	out := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: cr.Namespace, Name: cr.Name}}
	err = w.client.Patch(ctx, out, client.RawPatch(types.MergePatchType, patch), fieldOwner)
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err), apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), err != nil && ctx.Err() != nil:
		return nil, errOutdated
	case err != nil:
		return nil, fmt.Errorf("record the model of revision %s: %w", cr.Name, err)
	}
	return out, nil
}

// replace writes a ConfigMap as it should be over the very one that was read. An
// apply would leave in it what others wrote, and what was there at its creation.
func (w writer) replace(ctx context.Context, ac *corev1ac.ConfigMapApplyConfiguration, current client.Object) error {
	object := &corev1.ConfigMap{}
	if err := fill(object, ac); err != nil {
		return err
	}
	object.SetUID(current.GetUID())
	object.SetResourceVersion(current.GetResourceVersion())
	err := w.client.Update(ctx, object, fieldOwner)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return errOutdated
	}
	return w.wrap(ctx, "replace", ac, err)
}

// foreign returns the Pods that serve another model than their revision, once the
// Pods that follow them are told which one to get.
func (s *snapshot) foreign(ctx context.Context, p rollout.Plan) (out []client.Object) {
	if slices.ContainsFunc(s.refusals, func(f rollout.Refusal) bool { return f.Revision != "" && !f.Deployment }) {
		return nil // of the record, or of what tells Pods
	}
	for _, r := range s.revisions {
		planned := p.Revision(r.record.Name)
		for i := range r.pods {
			if pod := &r.pods[i]; planned != nil && slices.Contains(planned.Foreign, pod.Name) {
				log.FromContext(ctx).Info("replacing a Pod that fetched another model than its revision", "pod", pod.Name)
				out = append(out, pod)
			}
		}
	}
	return out
}
