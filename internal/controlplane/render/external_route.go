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

// ExternalRoute is how requests from outside reach the router: through a Gateway
// of the Gateway API, an Ingress controller, or neither. Each service then has
// one HTTPRoute or Ingress beside the router's Service, which sends all of the
// service's hosts there. It holds no weights: those stay the router's.
type ExternalRoute struct {
	// Namespace and Service are of the router's Service.
	Namespace, Service string
	// Gateway is NAMESPACE/NAME; empty: there is none.
	Gateway string
	// IngressClass is a class of Ingress; empty: there is none.
	IngressClass string
}

// Enabled reports whether there is a Gateway or an Ingress controller.
func (r ExternalRoute) Enabled() bool { return r.Gateway != "" || r.IngressClass != "" }

// Check reports what is wrong with the two names, in the words of their flags.
func (r ExternalRoute) Check() error {
	namespace, name, _ := strings.Cut(r.Gateway, "/")
	switch {
	case r.Gateway == "":
		return nil
	case r.IngressClass != "":
		return errors.New("--gateway and --ingress-class: use only one of them")
	case namespace == "" || name == "" || strings.Contains(name, "/"):
		return fmt.Errorf("--gateway %s: must be NAMESPACE/NAME", r.Gateway)
	}
	return nil
}

// ExternalRouteName returns the name of a service's HTTPRoute or Ingress,
// NAME.NAMESPACE. Neither part has a dot.
func ExternalRouteName(namespace, name string) string { return name + "." + namespace }

// routerPort is that of the router's Service.
const routerPort = 80

// Object returns the HTTPRoute or Ingress that sends hosts to the router.
func (r ExternalRoute) Object(isvc *v1beta1.InferenceService, hosts []string) runtime.ApplyConfiguration {
	name := ExternalRouteName(isvc.Namespace, isvc.Name)
	labels := map[string]string{v1beta1.LabelService: isvc.Name}
	if r.Gateway != "" {
		namespace, gateway, _ := strings.Cut(r.Gateway, "/")
		var names []gatewayv1.Hostname
		for _, h := range hosts {
			names = append(names, gatewayv1.Hostname(h))
		}
		return gatewayv1ac.HTTPRoute(name, r.Namespace).WithLabels(labels).WithSpec(gatewayv1ac.HTTPRouteSpec().
			WithParentRefs(gatewayv1ac.ParentReference().WithNamespace(gatewayv1.Namespace(namespace)).WithName(gatewayv1.ObjectName(gateway))).
			WithHostnames(names...).
			WithRules(gatewayv1ac.HTTPRouteRule().WithBackendRefs(gatewayv1ac.HTTPBackendRef().
				WithName(gatewayv1.ObjectName(r.Service)).WithPort(routerPort))))
	}
	spec := networkingv1ac.IngressSpec().WithIngressClassName(r.IngressClass)
	for _, h := range hosts {
		spec.WithRules(networkingv1ac.IngressRule().WithHost(h).WithHTTP(networkingv1ac.HTTPIngressRuleValue().WithPaths(
			networkingv1ac.HTTPIngressPath().WithPath("/").WithPathType(networkingv1.PathTypePrefix).WithBackend(
				networkingv1ac.IngressBackend().WithService(networkingv1ac.IngressServiceBackend().
					WithName(r.Service).WithPort(networkingv1ac.ServiceBackendPort().WithNumber(routerPort)))))))
	}
	return networkingv1ac.Ingress(name, r.Namespace).WithLabels(labels).WithSpec(spec)
}
