// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/action"
	"github.com/serin-dev/serin/internal/testkit/golden"
)

// Scripts rely on the exit code and on the JSON document.
func TestStatus(t *testing.T) {
	condition := func(kind, status, message string) any {
		return []any{map[string]any{"type": kind, "status": status, "message": message}}
	}
	for name, tt := range map[string]struct {
		change  func(isvc map[string]any) error
		watch   bool
		timeout time.Duration
		code    int
		outcome action.Outcome
	}{
		"settled": {
			change: func(isvc map[string]any) error {
				return unstructured.SetNestedField(isvc, condition("Ready", "True", ""), "status", "conditions")
			},
			watch: true, outcome: action.Settled,
		},
		"failed": {
			change: func(isvc map[string]any) error {
				return unstructured.SetNestedField(isvc, condition("PredictorReady", "False", "Revision r: no such model"), "status", "conditions")
			},
			watch: true, outcome: action.Failed, code: exitFailed,
		},
		"time is up": {
			change: func(isvc map[string]any) error {
				return unstructured.SetNestedField(isvc, int64(4), "metadata", "generation")
			},
			watch: true, timeout: 50 * time.Millisecond, outcome: action.Progressing, code: exitInProgress,
		},
		"not waited for": {
			change: func(isvc map[string]any) error {
				return unstructured.SetNestedField(isvc, int64(4), "metadata", "generation")
			},
			outcome: action.Progressing, code: exitInProgress,
		},
	} {
		t.Run(name, func(t *testing.T) {
			isvc, objects := canaryObjects(t)
			if err := tt.change(isvc.Object); err != nil {
				t.Fatal(err)
			}
			s := &service{&cluster{client: fakeAPI(t, isvc, objects), namespace: "ns"}, "iris"}
			var out bytes.Buffer
			err := s.status(t.Context(), &out, formatJSON, tt.watch, tt.timeout)
			e, is := errors.AsType[exit](err)
			if err != nil && !is || e.code != tt.code {
				t.Errorf("exit code %d (%v), want %d", e.code, err, tt.code)
			}
			var got document
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Fatalf("%v in:\n%s", err, out.String())
			}
			if got.Outcome != tt.outcome || len(got.Revisions) != 2 || *got.Revisions[0].TrafficPercent != 10 {
				t.Errorf("reported:\n%s", out.String())
			}
		})
	}
}

// What people see, but for ages.
func TestSummary(t *testing.T) {
	var out bytes.Buffer
	r := canaryRollout()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range r.Revisions {
		r.Revisions[i].Created = now.Add(-time.Hour)
	}
	summary(&out, r, nil, now, false)
	golden.File(t, filepath.Join("testdata", "summary.txt"), regexp.MustCompile(` +\n`).ReplaceAllString(out.String(), "\n"))
}

// A program's last lines stand below the sentence, and nothing that somebody wrote
// into an event or a status reaches the terminal as more than text.
func TestSummaryOfAProgramThatEnded(t *testing.T) {
	var out bytes.Buffer
	r := canaryRollout()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range r.Revisions {
		r.Revisions[i].Created = now.Add(-time.Hour)
	}
	sentence := "Revision sklearn-iris-predictor-00002: container kserve-container ended with exit code 2: server: error: unrecognized arguments: --x"
	r.Service.Status.Conditions = []v1beta1.Condition{{Type: v1beta1.ConditionPredictorReady, Status: metav1.ConditionFalse, Message: sentence + "\x1b[2J"}}
	r.Service.Status.ModelStatus = &v1beta1.ModelStatus{LastFailureInfo: &v1beta1.FailureInfo{
		Message: sentence + "\nIts last lines:\n  usage: server [--port PORT]\n  server: error:\x1b]0;title\x07 unrecognized arguments: --x",
	}}
	summary(&out, r, []corev1.Event{{Type: "Warning", Reason: "ModelLoadFailed", Message: "Revision x:\x1b[31m red\r\nnext", LastTimestamp: metav1.NewTime(now)}}, now, false)
	golden.File(t, filepath.Join("testdata", "summary-ended.txt"), regexp.MustCompile(` +\n`).ReplaceAllString(out.String(), "\n"))
}
