// SPDX-License-Identifier: Apache-2.0

package install

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/serin-dev/serin/internal/cli/usage"
	"github.com/serin-dev/serin/internal/dataplane/proxy"
	"github.com/serin-dev/serin/internal/setting"
)

func objectsOf(t *testing.T, o Options) []*unstructured.Unstructured {
	t.Helper()
	objects, err := Objects(o)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// All permissions of each part: more than these need a review.
func TestPermissionsOfEachPart(t *testing.T) {
	list := func(rules []rbacv1.PolicyRule) (out []string) {
		for _, r := range rules {
			for _, resource := range r.Resources {
				out = append(out, strings.TrimPrefix(r.APIGroups[0]+"/"+resource+": ", "/")+strings.Join(r.Verbs, " "))
			}
		}
		slices.Sort(out)
		return out
	}
	for name, c := range map[string]struct {
		rules []rbacv1.PolicyRule
		want  []string
	}{
		"the controller, everywhere": {controllerRules(), []string{
			"apps/controllerrevisions: get list watch create patch delete",
			"apps/deployments: get list watch create patch delete",
			"configmaps: get list watch create update patch",
			"events: create list",
			"nodes: get list watch",
			"pods: get list watch delete",
			"services: get list watch create patch delete",
			"serving.kserve.io/clusterservingruntimes: get list watch",
			"serving.kserve.io/inferenceservices/finalizers: update",
			"serving.kserve.io/inferenceservices/status: patch",
			"serving.kserve.io/inferenceservices: get list watch",
			"serving.kserve.io/servingruntimes: get list watch",
		}},
		"the controller, in its namespace": {leaderRules(), []string{
			"coordination.k8s.io/leases: get create update",
			"events: create patch",
		}},
		"the controller, for the Pods of its namespace": {spreadRules(), []string{"pods/eviction: create"}},
		"the controller, for what stands before the router": {externalRouteRules(), []string{
			"gateway.networking.k8s.io/httproutes: get list watch create patch delete",
			"networking.k8s.io/ingresses: get list watch create patch delete",
		}},
		"the router, everywhere": {routerRules(), []string{
			"pods: get list watch",
			"serving.kserve.io/inferenceservices: get list watch",
		}},
	} {
		if diff := cmp.Diff(c.want, list(c.rules)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// No role has a permission that SECURITY.md excludes.
func TestNoRoleHasForbiddenPermissions(t *testing.T) {
	roles := 0
	for _, u := range objectsOf(t, Defaults("v1")) {
		if k := u.GetKind(); k != "Role" && k != "ClusterRole" {
			continue
		}
		roles++
		var role rbacv1.ClusterRole // a Role has the same rules
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &role); err != nil {
			t.Fatal(err)
		}
		for _, r := range role.Rules {
			for _, resource := range slices.Concat(r.APIGroups, r.Resources, r.NonResourceURLs) {
				if strings.Contains(resource, "*") || slices.Contains([]string{"secrets", "serviceaccounts", "serviceaccounts/token", "pods/exec", "pods/attach", "nodes/proxy"}, resource) {
					t.Errorf("%s reaches %s", describe(u), resource)
				}
			}
			for _, verb := range r.Verbs {
				if slices.Contains([]string{"*", "escalate", "bind", "impersonate", "deletecollection"}, verb) {
					t.Errorf("%s may %s %v", describe(u), verb, r.Resources)
				}
			}
			if slices.Contains(r.Resources, "pods") && slices.Contains(r.Verbs, "create") {
				t.Errorf("%s may create Pods", describe(u))
			}
		}
	}
	if roles != 3 {
		t.Errorf("%d roles, and three are known: look at SECURITY.md", roles)
	}
}

func TestPodsAreRestricted(t *testing.T) {
	seen, o := 0, Defaults("v1")
	o.ImagePrefix = "serin"
	for _, u := range objectsOf(t, o) {
		if u.GetKind() != "Deployment" {
			continue
		}
		seen++
		var d appsv1.Deployment
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &d); err != nil {
			t.Fatal(err)
		}
		pod := d.Spec.Template.Spec
		c := pod.Containers[0]
		want := &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false),
			ReadOnlyRootFilesystem:   new(true),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}
		if diff := cmp.Diff(want, c.SecurityContext); diff != "" {
			t.Errorf("%s (-want +got):\n%s", d.Name, diff)
		}
		if s := pod.SecurityContext; s == nil || !*s.RunAsNonRoot || *s.RunAsUser == 0 || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: Pod security context %+v", d.Name, s)
		}
		if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() {
			t.Errorf("%s requests no resources", d.Name)
		}
		if c.Image != fmt.Sprintf("serin/%s:v1", strings.TrimPrefix(d.Name, "serin-")) {
			t.Errorf("%s has image %s", d.Name, c.Image)
		}
	}
	if seen != 2 {
		t.Errorf("%d Deployments, want 2", seen)
	}
}

func TestEveryObjectIsLabelledAndInOneNamespace(t *testing.T) {
	o := Defaults("v1")
	o.Namespace = "models-system"
	for _, u := range objectsOf(t, o) {
		if u.GetLabels()[labelPart] != part {
			t.Errorf("%s has labels %v", describe(u), u.GetLabels())
		}
		if ns := u.GetNamespace(); ns != "" && ns != o.Namespace {
			t.Errorf("%s is in namespace %s", describe(u), ns)
		}
	}
}

// upgrade applies the last object after the routers run.
func TestControllerIsTheLastObject(t *testing.T) {
	objects := objectsOf(t, Defaults("v1"))
	if last := describe(objects[len(objects)-1]); last != "deployment/serin-controller" {
		t.Errorf("the last object is %s", last)
	}
}

func TestOptionsReachTheImages(t *testing.T) {
	o := Defaults("v2")
	o.ImagePrefix, o.PullSecret, o.ModelCache = "registry.example.com/ml", "registry", "/var/cache/models"
	var out strings.Builder
	if err := Export(&out, objectsOf(t, o)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"image: registry.example.com/ml/controller:v2\n",
		"image: registry.example.com/ml/router:v2\n",
		"image: registry.example.com/ml/modelserver:v2\n",
		"--fetch-image=registry.example.com/ml/fetch:v2\n",
		"--queue-image=registry.example.com/ml/queue:v2\n",
		"--model-cache=/var/cache/models\n",
		"imagePullSecrets:\n      - name: registry\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q", want)
		}
	}
}

// What the programs take, so that a typing error shows at once.
func TestLimitsAreThoseOfThePrograms(t *testing.T) {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	add := func(v *setting.Value, name, usage string) { fs.Var(v, name, usage) }
	new(proxy.Limits).AddFlags(add)
	new(proxy.Connections).AddFlags(add)
	var names []string
	fs.VisitAll(func(f *pflag.Flag) {
		names = append(names, f.Name)
		if limit := f.Name + "=" + f.DefValue; !isLimit(limit) {
			t.Errorf("%s is refused", limit)
		}
	})
	if diff := cmp.Diff(names, limits); diff != "" {
		t.Error(diff)
	}
}

func TestWrongOptionsAreRefused(t *testing.T) {
	for args, want := range map[string]string{
		"--service-type=Nodeport":                "--service-type Nodeport: must be ClusterIP, NodePort or LoadBalancer",
		"--controllers=0":                        "--controllers 0: must be a whole number from 1 to 1000",
		"--routers=-1":                           "--routers -1: must be a whole number from 1 to 1000",
		"--image-version=a/b":                    "--image-version a/b: must be an image's tag: at most 128 letters, digits, dots, _ and -",
		"--image-prefix=":                        "--image-prefix is required: the registry and path of the images of 'make images', such as registry.example.com/serin",
		"--image-prefix=registry.example.com/":   "--image-prefix registry.example.com/: remove the slash at its end",
		"--image-prefix=https://r.example.com/x": "--image-prefix https://r.example.com/x: must be a registry and a path, such as registry.example.com/serin",
		"--gateway=edge":                         "--gateway edge: must be NAMESPACE/NAME",
		"--gateway=/edge/public":                 "--gateway /edge/public: must be NAMESPACE/NAME",
		"--gateway=a/b --ingress-class=nginx":    "--gateway and --ingress-class: use only one of them",
		"--url-scheme=ftp":                       "--url-scheme ftp: must be http or https",
		"--fetch-env=HTTPS_PROXY":                "--fetch-env HTTPS_PROXY: must be NAME=VALUE",
		"--domain=Models.example.com":            "--domain Models.example.com: must be a domain, such as models.example.com: lower-case letters, digits and - between its dots",
		"--model-cache=cache":                    "--model-cache cache: must be an absolute path without .. in it",
		"--namespace=":                           "--namespace must not be empty",
		"--limit=stream-idle=1h":                 "--limit stream-idle=1h: must be NAME=VALUE, where NAME is one of " + strings.Join(limits, ", "),
		"--limit=send-timeout=x":                 "--limit send-timeout=x: must be NAME=VALUE, where NAME is one of " + strings.Join(limits, ", "),
		"--limit=send-timeout":                   "--limit send-timeout: must be NAME=VALUE",
		"--wait=-1s":                             "--wait -1s: must be a duration that is not negative, such as 30s",
	} {
		c := installCommand("serin", "v1")
		c.SilenceErrors, c.SilenceUsage = true, true
		usage.Strict(c)
		c.SetOut(io.Discard)
		c.SetArgs(append([]string{"--export", "--image-prefix=serin"}, strings.Fields(args)...))
		if err := c.Execute(); err == nil || err.Error() != want || usage.ExitCode(err) != usage.Code {
			t.Errorf("%s: error %v, want %s", args, err, want)
		}
	}
}
