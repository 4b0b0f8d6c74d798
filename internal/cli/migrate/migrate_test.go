// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/serin-dev/serin/internal/cli/migrate"
)

func TestCheckReportsWhatSerinTreatsDifferently(t *testing.T) {
	c, err := migrate.NewChecker()
	if err != nil {
		t.Fatal(err)
	}
	const (
		head  = "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\n"
		model = "model: {modelFormat: {name: sklearn}, storageUri: gs://b/m}"
	)
	isvc := func(metadata, predictor string) string {
		return head + "metadata: {name: iris" + metadata + "}\nspec: {predictor: {" + predictor + "}}\n"
	}
	for _, tc := range []struct {
		name, in string
		objects  int
		want     []string
	}{
		{"what carries over", isvc("", model+", canaryTrafficPercent: 10"), 1, nil},
		{"other objects are passed over", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n---\n---\n" + isvc("", model), 1, nil},
		{
			"what kubectl get wrote", "apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(head, "\n", "\n  ") +
				"metadata: {name: iris, namespace: a, uid: u, resourceVersion: '1', generation: 2, creationTimestamp: '2026-01-01T00:00:00Z', finalizers: [f], managedFields: []}\n" +
				"  spec: {predictor: {" + model + "}}\n  status: {deploymentMode: Serverless}\n", 1, nil,
		},
		{
			"what is rejected, in the API's words", isvc("", model+", logger: {mode: all}"), 1,
			[]string{`inferenceservice/iris rejected: spec.predictor.logger: Invalid value: the payload logger does not work in Serin yet: remove logger, and log in your client or gateway`},
		},
		{
			"an unknown field", isvc(", namespace: a", model+", canaryTraffic: 10"), 1,
			[]string{"inferenceservice/a/iris rejected: unknown field spec.predictor.canaryTraffic"},
		},
		{
			"annotations, the gravest first",
			isvc(", annotations: {sidecar.istio.io/inject: 'false', serving.kserve.io/deploymentMode: RawDeployment, serving.kserve.io/autoscalerClass: hpa, example.com/mine: x}, labels: {networking.kserve.io/visibility: cluster-local}", model), 1,
			[]string{
				"inferenceservice/iris rejected: serving.kserve.io/autoscalerClass: Serin scales by requests itself: remove it, and set scaleMetric and scaleTarget",
				"inferenceservice/iris ignored: sidecar.istio.io/inject: Serin needs no Istio; the annotation reaches the Pods, for your own Istio",
				"inferenceservice/iris different: serving.kserve.io/deploymentMode: there is one mode only: canaries, tags and scaling to zero work for every service, without Knative",
				"inferenceservice/iris different: networking.kserve.io/visibility: supported: the service answers within the cluster only. The label takes effect at once, without new Pods and without Knative",
			},
		},
		{
			"visibility that does not keep anybody out",
			isvc(", annotations: {networking.knative.dev/visibility: cluster-local}, labels: {networking.knative.dev/visibility: private}", model), 1,
			[]string{
				`inferenceservice/iris rejected: label networking.knative.dev/visibility "private" has no meaning: write cluster-local, or remove it`,
				"inferenceservice/iris ignored: networking.knative.dev/visibility: only the label has an effect, as in KServe: the annotation leaves the service public",
				"inferenceservice/iris different: networking.knative.dev/visibility: supported: the service answers within the cluster only. The label takes effect at once, without new Pods and without Knative",
			},
		},
		{
			"visibility of a predictor", isvc("", model+", labels: {networking.knative.dev/visibility: cluster-local}"), 1,
			[]string{"inferenceservice/iris different: networking.knative.dev/visibility: supported: the service answers within the cluster only. The label takes effect at once, without new Pods and without Knative"},
		},
		{
			"a number that takes forever", isvc("", "model: {modelFormat: {name: sklearn}, resources: {limits: {cpu: '1e-999999999'}}}"), 1,
			[]string{`inferenceservice/iris rejected: spec.predictor.model.resources.limits.cpu: Invalid value: "1e-999999999": spec.predictor.model.resources.limits.cpu in body should match '^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?[0-9]{1,3}))?$'`},
		},
		{
			"zero replicas and a pin", isvc("", model+", minReplicas: 0, canaryTrafficPercent: 0"), 1,
			[]string{
				"inferenceservice/iris different: spec.predictor.canaryTrafficPercent 0 with a template that differs in its model's arguments only pins the previous model: start such a change at 1 or more",
				"inferenceservice/iris different: spec.predictor.minReplicas 0 scales to zero in every mode; requests that arrive meanwhile wait",
			},
		},
		{
			"an account may have Secrets", isvc("", model+", serviceAccountName: models"), 1,
			[]string{"inferenceservice/iris different: spec.predictor.serviceAccountName: models are fetched with the cloud identity of this account; Secrets that are attached to it are not read yet"},
		},
		{
			"a Secret for storage", isvc(", annotations: {serving.kserve.io/storageSecretName: minio}", model), 1,
			[]string{"inferenceservice/iris ignored: serving.kserve.io/storageSecretName: this Secret is not read yet: models are fetched with the cloud identity of the Pod's service account, and endpoints are set by serin install --fetch-env"},
		},
		{
			"a service behind a token", isvc(", annotations: {security.opendatahub.io/enable-auth: 'true'}", model), 1,
			[]string{`inferenceservice/iris rejected: annotation security.opendatahub.io/enable-auth "true" asks for a token with each request, and Serin checks none: anybody could call the model. Remove it, and check tokens in a gateway, or keep callers outside the cluster away by the label networking.knative.dev/visibility: cluster-local`},
		},
		{
			"a service in front of a token", isvc(", annotations: {security.opendatahub.io/enable-auth: 'false'}", model), 1, nil,
		},
		{
			"KServe's runtime of the name of Serin's",
			"apiVersion: serving.kserve.io/v1alpha1\nkind: ClusterServingRuntime\nmetadata: {name: kserve-sklearnserver}\nspec: {containers: [{name: kserve-container, image: 'kserve/sklearnserver:v0.21.0'}]}\n", 1,
			[]string{"clusterservingruntime/kserve-sklearnserver different: metadata.name kserve-sklearnserver: this runtime takes the place of Serin's built-in server: give it another name to keep both. With serin up, KServe's image runs the built-in server"},
		},
		{
			"Serin's own runtime",
			"apiVersion: serving.kserve.io/v1alpha1\nkind: ClusterServingRuntime\nmetadata: {name: kserve-sklearnserver}\nspec: {containers: [{name: kserve-container, image: 'example.com/serin/modelserver:v1'}]}\n", 1, nil,
		},
		{"a patch is no object", "- {op: replace, path: /spec, value: 1}\n---\n" + isvc("", model), 1, nil},
		{
			"kinds that Serin does not have",
			"apiVersion: serving.kserve.io/v1alpha1\nkind: LLMInferenceService\nmetadata: {name: c, namespace: a}\n---\napiVersion: serving.kserve.io/v1alpha1\nkind: InferenceGraph\nmetadata: {name: g, namespace: a}\nspec: {nodes: {}}\n---\napiVersion: serving.kserve.io/v1alpha2\nkind: InferenceService\nmetadata: {name: old}\n", 3,
			[]string{
				"llminferenceservice/a/c rejected: Serin has no LLMInferenceService: it serves InferenceServices, by ServingRuntimes and ClusterServingRuntimes",
				"inferencegraph/a/g rejected: spec: Invalid value: Serin has no InferenceGraph yet: call the InferenceServices one after the other from your client, or from a service of your own",
				"inferenceservice/old rejected: Serin does not have InferenceService in version serving.kserve.io/v1alpha2: write serving.kserve.io/v1beta1 for services, serving.kserve.io/v1alpha1 for runtimes",
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := c.Check(t.Context(), strings.NewReader(tc.in))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range r.Findings {
				got = append(got, f.Object+" "+string(f.Level)+": "+f.Says)
				if f.Field == "" {
					t.Errorf("no field of: %s", f.Says)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if r.Objects != tc.objects {
				t.Errorf("%d objects, want %d", r.Objects, tc.objects)
			}
		})
	}
}

func TestCheckGoesOnAfterWhatItCannotRead(t *testing.T) {
	c, err := migrate.NewChecker()
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Check(t.Context(), strings.NewReader("a: [\n---\nname: {{ .Values.name }}\n---\napiVersion: serving.kserve.io/v1beta1\nkind: TrainedModel\n"))
	if r.Objects != 1 || len(r.Findings) != 1 {
		t.Errorf("%d objects, %d findings, want 1 and 1", r.Objects, len(r.Findings))
	}
	for _, want := range []string{"document 1: read a manifest: ", "document 2: this seems to be a template"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// A runtime may be in any file, and before or after the service.
// takesAll is an API server without objections. The real one's are seen in
// e2e/testdata/migrate.txtar: it is minutes of linking.
func takesAll(*appsv1.Deployment) ([]string, error) { return nil, nil }

func TestServicesWithoutARuntimeAreReported(t *testing.T) {
	const (
		v1alpha1 = "apiVersion: serving.kserve.io/v1alpha1\n"
		formats  = "spec: {supportedModelFormats: [{name: pytorch, version: '1', autoSelect: true}], containers: [{name: kserve-container, image: torch}]}\n"
	)
	isvc := func(namespace, predictor string) string {
		return "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: m" + namespace + "}\nspec: {predictor: {" + predictor + "}}\n"
	}
	const torch = "model: {modelFormat: {name: pytorch}, storageUri: gs://b/m}"
	for name, tt := range map[string]struct {
		files []string
		want  []string // fields of what is missing
	}{
		"Serin's own runtime":               {[]string{isvc("", "model: {modelFormat: {name: sklearn}, storageUri: gs://b/m}")}, nil},
		"that for XGBoost":                  {[]string{isvc("", "xgboost: {storageUri: gs://b/m}")}, nil},
		"its name":                          {[]string{isvc("", "model: {modelFormat: {name: sklearn}, runtime: kserve-sklearnserver, storageUri: gs://b/m}")}, nil},
		"containers need none":              {[]string{isvc("", "containers: [{name: kserve-container, image: mine}]")}, nil},
		"a format that nobody serves":       {[]string{isvc("", torch)}, []string{"spec.predictor.model.modelFormat"}},
		"a legacy form of one":              {[]string{isvc("", "pmml: {storageUri: gs://b/m}")}, []string{"spec.predictor.pmml"}},
		"a runtime by name":                 {[]string{isvc("", "model: {modelFormat: {name: sklearn}, runtime: mine, storageUri: gs://b/m}")}, []string{"spec.predictor.model.runtime"}},
		"a protocol that it does not speak": {[]string{isvc("", "model: {modelFormat: {name: sklearn}, protocolVersion: grpc-v1, storageUri: gs://b/m}")}, []string{"spec.predictor.model.modelFormat"}},
		"one for all, in another file":      {[]string{isvc(", namespace: a", torch), v1alpha1 + "kind: ClusterServingRuntime\nmetadata: {name: torch}\n" + formats}, nil},
		"one before it":                     {[]string{v1alpha1 + "kind: ServingRuntime\nmetadata: {name: torch, namespace: a}\n" + formats + "---\n" + isvc(", namespace: a", torch)}, nil},
		"one of another namespace":          {[]string{v1alpha1 + "kind: ServingRuntime\nmetadata: {name: torch, namespace: b}\n" + formats, isvc(", namespace: a", torch)}, []string{"spec.predictor.model.modelFormat"}},
		"one without a namespace":           {[]string{v1alpha1 + "kind: ServingRuntime\nmetadata: {name: torch}\n" + formats, isvc(", namespace: a", torch)}, nil},
		"a rejected service is not asked":   {[]string{isvc("", torch+", logger: {mode: all}")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := migrate.NewChecker()
			if err != nil {
				t.Fatal(err)
			}
			var all migrate.Result
			for i, content := range tt.files {
				r, err := c.Check(t.Context(), strings.NewReader(content))
				if err != nil {
					t.Fatal(err)
				}
				all.Add(strings.Repeat("f", i+1), r)
			}
			if err := all.CheckPods(takesAll); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range all.Findings {
				if f.File == "" {
					t.Errorf("no file of: %s", f.Says)
				}
				if f.Level == migrate.Missing {
					got = append(got, f.Field)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("missing (-want +got):\n%s\n%v", diff, all.Findings)
			}
		})
	}
}

// FuzzCheck checks that no file crashes it.
func FuzzCheck(f *testing.F) {
	c, err := migrate.NewChecker()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		"apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: iris}\nspec: {predictor: {sklearn: {storageUri: gs://b/m}}}",
		"items: [{apiVersion: serving.kserve.io/v1beta1}]", "a: &a [*a]", "---\n- 1", "metadata: 1", "{", "\x00",
		"apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: []\nspec: 1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, _ := c.Check(t.Context(), strings.NewReader(s)) // an error is an answer
		var all migrate.Result
		all.Add("f", r)
		if err := all.CheckPods(takesAll); err != nil {
			t.Error(err)
		}
	})
}
