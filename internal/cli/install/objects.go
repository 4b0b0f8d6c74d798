// SPDX-License-Identifier: Apache-2.0

package install

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/serin-dev/serin/api/crd"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/manifest"
)

// Options are what an installation can choose.
type Options struct {
	// Namespace is where controller and router run.
	Namespace string
	// ImagePrefix and Version make an image's name: PREFIX/NAME:VERSION.
	ImagePrefix, Version string
	// PullSecret is a Secret in Namespace for the registry; empty: none.
	PullSecret string
	// Domain is the suffix of services' host names.
	Domain string
	// ServiceType is that of the router's Service.
	ServiceType corev1.ServiceType
	// Controllers and Routers are replicas.
	Controllers, Routers int32
	// ModelCache is a folder on each node that keeps downloaded models; empty:
	// every Pod downloads for itself.
	ModelCache string
	// Gateway, NAMESPACE/NAME, or IngressClass stand before the router; empty:
	// neither does. URLScheme begins the services' URLs.
	Gateway, IngressClass, URLScheme string
	// FetchEnv is the environment of what downloads models, NAME=VALUE each:
	// proxies, endpoints.
	FetchEnv []string
	// Limits are limits of the router and of the queues in models' Pods,
	// NAME=VALUE each.
	Limits []string
}

// Defaults returns options for most installations, without an ImagePrefix.
func Defaults(version string) Options {
	return Options{
		Namespace:   v1beta1.InstallNamespace,
		Version:     version,
		Domain:      "example.com",
		URLScheme:   "http",
		ServiceType: corev1.ServiceTypeLoadBalancer,
		Controllers: 2,
		Routers:     2,
	}
}

// Names of the two parts, their accounts and their roles.
const (
	controllerName = "serin-controller"
	routerName     = v1beta1.RouterName
	adminName      = "serin-router-admin"
	insideName     = "serin-router-inside"
)

// Ports of the two parts.
const (
	requestPort = 8080
	adminPort   = v1beta1.RouterAdminPort
	healthPort  = 8082
	insidePort  = 8083
)

const (
	labelPart = v1beta1.LabelPartOf
	labelName = v1beta1.LabelPartName
	part      = v1beta1.PartOf
	// drainSeconds lets the longest request that is allowed by default end.
	drainSeconds = 300
	// leaveSeconds is how long a stopping router still accepts requests, because
	// clients learn late that it stops.
	leaveSeconds = 5
	// lostSeconds is how long a Pod stays on an unreachable node, which may come
	// back. Kubernetes' default is 300.
	lostSeconds = 30
	// user is an arbitrary user other than root.
	user = 65532
)

// Objects are everything of an installation, in the order in which it can be
// applied: definitions first, then what they define. The controller is the last:
// upgrade applies it after the routers run.
func Objects(o Options) ([]*unstructured.Unstructured, error) {
	out, err := manifest.Read(crd.Files)
	if err != nil {
		return nil, err
	}
	runtimes, err := manifest.Read(render.Runtimes)
	if err != nil {
		return nil, err
	}
	for _, r := range runtimes {
		if err := o.rename(r); err != nil {
			return nil, fmt.Errorf("name the image of %s: %w", describe(r), err)
		}
	}
	out = append(out, runtimes...)
	for _, object := range append(warning(), o.objects()...) {
		u, err := plain(object)
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	for _, u := range out {
		l := u.GetLabels()
		if l == nil {
			l = map[string]string{}
		}
		l[labelPart] = part
		u.SetLabels(l)
	}
	return out, nil
}

func (o Options) objects() []runtime.Object {
	return append(append([]runtime.Object{o.namespace()}, o.access()...),
		o.policy(controllerName, networkingv1.NetworkPolicyIngressRule{Ports: ports(healthPort)}),
		// Requests are open to all Pods, unless the users' own policies say otherwise.
		// Load and metrics are open to the controller and to labelled namespaces.
		o.policy(routerName, networkingv1.NetworkPolicyIngressRule{Ports: append(ports(requestPort), ports(insidePort)...)}, networkingv1.NetworkPolicyIngressRule{
			Ports: ports(adminPort),
			From: []networkingv1.NetworkPolicyPeer{
				{PodSelector: selector(controllerName)},
				{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"serin.dev/metrics": "true"}}},
			},
		}),
		o.service(routerName, corev1.ServiceSpec{
			Type:  o.ServiceType,
			Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http"), Protocol: corev1.ProtocolTCP}},
		}),
		// The target of services' names within the cluster. It has no load balancer.
		o.service(insideName, corev1.ServiceSpec{
			Type:  corev1.ServiceTypeClusterIP,
			Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("inside"), Protocol: corev1.ProtocolTCP}},
		}),
		// Headless: its name resolves to all routers, each of which reports its own load.
		o.service(adminName, corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone,
			Ports:     []corev1.ServicePort{{Name: "admin", Port: adminPort, TargetPort: intstr.FromString("admin"), Protocol: corev1.ProtocolTCP}},
		}),
		o.disruption(controllerName),
		o.disruption(routerName),
		o.router(), // before the controller, which routes names within the cluster to it
		o.controller(),
	)
}

func (o Options) namespace() runtime.Object {
	return &corev1.Namespace{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: o.Namespace, Labels: map[string]string{
			"pod-security.kubernetes.io/enforce": "restricted",
		}},
	}
}

func (o Options) controller() runtime.Object {
	args := []string{
		"--domain=" + o.Domain,
		fmt.Sprintf("--routers=%s.%s.svc:%d", adminName, o.Namespace, adminPort),
		fmt.Sprintf("--router-host=%s.%s.svc.cluster.local", insideName, o.Namespace),
		"--fetch-image=" + o.image("fetch"),
		"--queue-image=" + o.image("queue"),
		"--leader-election=" + o.Namespace,
		"--spread=" + o.Namespace,
		fmt.Sprintf("--health=:%d", healthPort),
	}
	if o.ModelCache != "" {
		args = append(args, "--model-cache="+o.ModelCache)
	}
	for _, option := range []struct{ flag, value string }{{"gateway", o.Gateway}, {"ingress-class", o.IngressClass}, {"url-scheme", o.URLScheme}} {
		if option.value != "" {
			args = append(args, "--"+option.flag+"="+option.value)
		}
	}
	for _, variable := range o.FetchEnv {
		args = append(args, "--fetch-env="+variable)
	}
	for _, limit := range o.Limits {
		args = append(args, "--limit="+limit)
	}
	return o.deployment(controllerName, o.Controllers, corev1.PodSpec{
		TerminationGracePeriodSeconds: new(int64(30)),
		Containers: []corev1.Container{{
			Name:           "controller",
			Image:          o.image("controller"),
			Args:           args,
			Ports:          []corev1.ContainerPort{{Name: "health", ContainerPort: healthPort, Protocol: corev1.ProtocolTCP}},
			ReadinessProbe: probe("/readyz", "health", 5),
			LivenessProbe:  probe("/healthz", "health", 10),
			Resources:      requests("50m", "128Mi"),
		}},
	})
}

func (o Options) router() runtime.Object {
	args := []string{
		fmt.Sprintf("--listen=:%d", requestPort),
		fmt.Sprintf("--listen-inside=:%d", insidePort),
		fmt.Sprintf("--admin=:%d", adminPort),
		"--domain=" + o.Domain,
		fmt.Sprintf("--drain=%ds", drainSeconds),
	}
	for _, limit := range o.Limits {
		args = append(args, "--"+limit)
	}
	return o.deployment(routerName, o.Routers, corev1.PodSpec{
		TerminationGracePeriodSeconds: new(int64(leaveSeconds + drainSeconds + 10)),
		Containers: []corev1.Container{{
			Name:  "router",
			Image: o.image("router"),
			Args:  args,
			Ports: []corev1.ContainerPort{
				{Name: "http", ContainerPort: requestPort, Protocol: corev1.ProtocolTCP},
				{Name: "inside", ContainerPort: insidePort, Protocol: corev1.ProtocolTCP},
				{Name: "admin", ContainerPort: adminPort, Protocol: corev1.ProtocolTCP},
			},
			ReadinessProbe: probe("/readyz", "admin", 1),
			LivenessProbe:  probe("/healthz", "admin", 10),
			Lifecycle:      &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: leaveSeconds}}},
			Resources:      requests("100m", "128Mi"),
		}},
	})
}

// deployment returns the common parts of both Deployments. Their Pods conform to
// the Pod Security level restricted, are spread over the nodes, are replaced soon
// after a node is lost, and are updated one by one.
func (o Options) deployment(name string, replicas int32, pod corev1.PodSpec) *appsv1.Deployment {
	pod.ServiceAccountName = name
	pod.SecurityContext = &corev1.PodSecurityContext{
		RunAsNonRoot:   new(true),
		RunAsUser:      new(int64(user)),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	// Pods of one rollout spread over the nodes that take them. ScheduleAnyway,
	// because a strict rule would leave a Pod pending if one node alone has room.
	pod.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
		MaxSkew:            1,
		TopologyKey:        corev1.LabelHostname,
		WhenUnsatisfiable:  corev1.ScheduleAnyway,
		LabelSelector:      selector(name),
		MatchLabelKeys:     []string{appsv1.DefaultDeploymentUniqueLabelKey},
		NodeAffinityPolicy: new(corev1.NodeInclusionPolicyHonor),
		NodeTaintsPolicy:   new(corev1.NodeInclusionPolicyHonor),
	}}
	for _, lost := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		pod.Tolerations = append(pod.Tolerations, corev1.Toleration{
			Key: lost, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(lostSeconds)),
		})
	}
	if o.PullSecret != "" {
		pod.ImagePullSecrets = []corev1.LocalObjectReference{{Name: o.PullSecret}}
	}
	for i := range pod.Containers {
		pod.Containers[i].TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
		pod.Containers[i].SecurityContext = &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false),
			ReadOnlyRootFilesystem:   new(true),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}
	}
	one, none := intstr.FromInt32(1), intstr.FromInt32(0)
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: o.meta(name),
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: selector(name),
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &one, MaxUnavailable: &none},
			},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{labelName: name, labelPart: part}},
				Spec:       pod,
			},
		},
	}
}

func (o Options) service(name string, spec corev1.ServiceSpec) runtime.Object {
	spec.Selector = map[string]string{labelName: routerName}
	return &corev1.Service{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: o.meta(name), Spec: spec}
}

func (o Options) disruption(name string) runtime.Object {
	one := intstr.FromInt32(1)
	return &policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
		ObjectMeta: o.meta(name),
		Spec:       policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &one, Selector: selector(name)},
	}
}

func (o Options) policy(name string, ingress ...networkingv1.NetworkPolicyIngressRule) runtime.Object {
	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: o.meta(name),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: *selector(name),
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     ingress,
		},
	}
}

func (o Options) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: o.Namespace, Name: name, Labels: map[string]string{labelName: name}}
}

func (o Options) image(name string) string { return o.ImagePrefix + "/" + name + ":" + o.Version }

// rename replaces the image of a shipped runtime by that in the registry.
func (o Options) rename(u *unstructured.Unstructured) error {
	containers, _, err := unstructured.NestedSlice(u.Object, "spec", "containers")
	if err != nil {
		return err
	}
	for _, c := range containers {
		if c, ok := c.(map[string]any); ok && c["image"] == "serin/modelserver:latest" {
			c["image"] = o.image("modelserver")
		}
	}
	return unstructured.SetNestedSlice(u.Object, containers, "spec", "containers")
}

func selector(name string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{labelName: name}}
}

func ports(port int32) []networkingv1.NetworkPolicyPort {
	tcp, p := corev1.ProtocolTCP, intstr.FromInt32(port)
	return []networkingv1.NetworkPolicyPort{{Protocol: &tcp, Port: &p}}
}

func probe(path, port string, seconds int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString(port)}},
		PeriodSeconds: seconds,
	}
}

func requests(cpu, memory string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse(cpu),
		corev1.ResourceMemory: resource.MustParse(memory),
	}}
}

// plain is an object without the fields that only the API fills.
func plain(o runtime.Object) (*unstructured.Unstructured, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, fmt.Errorf("convert %T: %w", o, err)
	}
	delete(fields, "status")
	unstructured.RemoveNestedField(fields, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(fields, "spec", "template", "metadata", "creationTimestamp")
	return &unstructured.Unstructured{Object: fields}, nil
}
