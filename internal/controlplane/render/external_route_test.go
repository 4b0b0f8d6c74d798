// SPDX-License-Identifier: Apache-2.0

package render

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1beta1"
)

func TestExternalRoute(t *testing.T) {
	isvc := &v1beta1.InferenceService{ObjectMeta: metav1.ObjectMeta{Name: "iris", Namespace: "ml"}}
	for name, c := range map[string]struct {
		route ExternalRoute
		want  string
	}{
		"a Gateway": {ExternalRoute{Namespace: "serin-system", Service: "serin-router", Gateway: "edge/public"}, `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  labels:
    serving.kserve.io/inferenceservice: iris
  name: iris.ml
  namespace: serin-system
spec:
  hostnames:
  - iris.ml.example.com
  - prev-iris-predictor.ml.example.com
  parentRefs:
  - name: public
    namespace: edge
  rules:
  - backendRefs:
    - name: serin-router
      port: 80
`},
		"an Ingress controller": {ExternalRoute{Namespace: "serin-system", Service: "serin-router", IngressClass: "nginx"}, `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  labels:
    serving.kserve.io/inferenceservice: iris
  name: iris.ml
  namespace: serin-system
spec:
  ingressClassName: nginx
  rules:
  - host: iris.ml.example.com
    http:
      paths:
      - backend:
          service:
            name: serin-router
            port:
              number: 80
        path: /
        pathType: Prefix
  - host: prev-iris-predictor.ml.example.com
    http:
      paths:
      - backend:
          service:
            name: serin-router
            port:
              number: 80
        path: /
        pathType: Prefix
`},
	} {
		got, err := yaml.Marshal(c.route.Object(isvc, []string{"iris.ml.example.com", "prev-iris-predictor.ml.example.com"}))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
