// SPDX-License-Identifier: Apache-2.0

package render

import (
	"errors"
	"fmt"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1ac "sigs.k8s.io/gateway-api/applyconfiguration/apis/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Front is what the installation has before the router, if anything: a Gateway
// of the Gateway API, or an Ingress controller. Each service then has one
// HTTPRoute or Ingress, beside the router's Service, which is where it sends
// all of the service's hosts. Weights are never in it: they stay the router's.
type Front struct {
	// Namespace and Service are of the router's Service.
	Namespace, Service string
	// Gateway is NAMESPACE/NAME; empty: there is none.
	Gateway string
	// IngressClass is a class of Ingress; empty: there is none.
	IngressClass string
}

// Exists reports whether there is anything before the router.
func (f Front) Exists() bool { return f.Gateway != "" || f.IngressClass != "" }

// Check says what is wrong with the two names, in the words of the flags that
// set them.
func (f Front) Check() error {
	namespace, name, _ := strings.Cut(f.Gateway, "/")
	switch {
	case f.Gateway == "":
		return nil
	case f.IngressClass != "":
		return errors.New("--gateway and --ingress-class: use only one of them")
	case namespace == "" || name == "" || strings.Contains(name, "/"):
		return fmt.Errorf("--gateway %s: must be NAMESPACE/NAME", f.Gateway)
	}
	return nil
}

// FrontName is the name of a service's HTTPRoute or Ingress: NAME.NAMESPACE, of
// which neither has a dot.
func FrontName(namespace, name string) string { return name + "." + namespace }

// routerPort is that of the router's Service.
const routerPort = 80

// Route sends hosts to the router: an HTTPRoute or an Ingress.
func (f Front) Route(isvc *v1beta1.InferenceService, hosts []string) runtime.ApplyConfiguration {
	name := FrontName(isvc.Namespace, isvc.Name)
	labels := map[string]string{v1beta1.LabelService: isvc.Name}
	if f.Gateway != "" {
		namespace, gateway, _ := strings.Cut(f.Gateway, "/")
		var names []gatewayv1.Hostname
		for _, h := range hosts {
			names = append(names, gatewayv1.Hostname(h))
		}
		return gatewayv1ac.HTTPRoute(name, f.Namespace).WithLabels(labels).WithSpec(gatewayv1ac.HTTPRouteSpec().
			WithParentRefs(gatewayv1ac.ParentReference().WithNamespace(gatewayv1.Namespace(namespace)).WithName(gatewayv1.ObjectName(gateway))).
			WithHostnames(names...).
			WithRules(gatewayv1ac.HTTPRouteRule().WithBackendRefs(gatewayv1ac.HTTPBackendRef().
				WithName(gatewayv1.ObjectName(f.Service)).WithPort(routerPort))))
	}
	spec := networkingv1ac.IngressSpec().WithIngressClassName(f.IngressClass)
	for _, h := range hosts {
		spec.WithRules(networkingv1ac.IngressRule().WithHost(h).WithHTTP(networkingv1ac.HTTPIngressRuleValue().WithPaths(
			networkingv1ac.HTTPIngressPath().WithPath("/").WithPathType(networkingv1.PathTypePrefix).WithBackend(
				networkingv1ac.IngressBackend().WithService(networkingv1ac.IngressServiceBackend().
					WithName(f.Service).WithPort(networkingv1ac.ServiceBackendPort().WithNumber(routerPort)))))))
	}
	return networkingv1ac.Ingress(name, f.Namespace).WithLabels(labels).WithSpec(spec)
}
