// SPDX-License-Identifier: Apache-2.0

package install

import (
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/serin-dev/serin/api/v1alpha1"
)

// warningName is the name of the policy that warns, and of its binding.
const warningName = "serin-built-in-runtime"

// warning makes the API server warn a user who applies KServe's runtime over
// Serin's of the same name. It refuses nothing: that may be what the user wants.
func warning() []runtime.Object {
	const is = " is the name of Serin's built-in runtime: new revisions of its models run its image from now on. " +
		"Give it another name to keep both; serin install brings the built-in runtime back"
	kind := func(k string) metav1.TypeMeta {
		return metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: k}
	}
	meta := metav1.ObjectMeta{Name: warningName, Labels: map[string]string{labelName: warningName}}
	return []runtime.Object{
		&admissionv1.ValidatingAdmissionPolicy{
			TypeMeta: kind("ValidatingAdmissionPolicy"), ObjectMeta: meta,
			Spec: admissionv1.ValidatingAdmissionPolicySpec{
				FailurePolicy: new(admissionv1.Ignore),
				MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
					RuleWithOperations: admissionv1.RuleWithOperations{
						Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
						Rule: admissionv1.Rule{
							APIGroups: []string{serving}, APIVersions: []string{v1alpha1.GroupVersion.Version}, Resources: []string{"clusterservingruntimes"},
						},
					},
				}}},
				MatchConditions: []admissionv1.MatchCondition{{Name: "built-in", Expression: "object.metadata.name in ['kserve-sklearnserver', 'kserve-xgbserver', 'kserve-lgbserver']"}},
				Validations: []admissionv1.Validation{{
					// Whatever registry Serin's images come from.
					Expression:        "object.spec.containers.exists(c, has(c.image) && c.image.contains('modelserver'))",
					Message:           "this" + is,
					MessageExpression: fmt.Sprintf("object.metadata.name + %q", is),
				}},
			},
		},
		&admissionv1.ValidatingAdmissionPolicyBinding{
			TypeMeta: kind("ValidatingAdmissionPolicyBinding"), ObjectMeta: meta,
			Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
				PolicyName: warningName, ValidationActions: []admissionv1.ValidationAction{admissionv1.Warn},
			},
		},
	}
}
