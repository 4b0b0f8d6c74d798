// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/setting"
)

// extensionName is the name under which a kubeconfig's cluster holds Endpoints.
const extensionName = "serin.dev"

// Endpoints are addresses of a Serin, besides that of its API: what `serin up`
// writes into a kubeconfig, and commands read there.
type Endpoints struct {
	// Router is the URL that the models answer on.
	Router string `json:"router"`
	// Metrics is the URL of the router's admin listener.
	Metrics string `json:"metrics"`
}

// AddTo writes the endpoints into a cluster of a kubeconfig.
func (e Endpoints) AddTo(c *clientcmdapi.Cluster) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if c.Extensions == nil {
		c.Extensions = map[string]runtime.Object{}
	}
	c.Extensions[extensionName] = &runtime.Unknown{Raw: raw, ContentType: runtime.ContentTypeJSON}
	return nil
}

// endpointsOf reads the endpoints of a cluster; none is no error.
func endpointsOf(c *clientcmdapi.Cluster) (Endpoints, error) {
	var e Endpoints
	if c == nil || c.Extensions[extensionName] == nil {
		return e, nil
	}
	raw, err := json.Marshal(c.Extensions[extensionName])
	if err == nil {
		err = json.Unmarshal(raw, &e)
	}
	if err != nil {
		return e, fmt.Errorf("read the extension %s of the kubeconfig: %w", extensionName, err)
	}
	return e, nil
}

// target is the cluster and namespace that the flags name.
type target struct {
	options                                 Options
	kubeconfig, context, namespace, routers string
}

func (t *target) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&t.kubeconfig, "kubeconfig", "", "kubeconfig file of the cluster")
	fs.StringVar(&t.context, "context", "", "context of the kubeconfig to use")
	fs.VarP(setting.Name(&t.namespace, ""), "namespace", "n", "namespace of the service")
	fs.Var(setting.Name(&t.routers, v1beta1.InstallNamespace), "router-namespace", "namespace of the routers in a cluster, which count requests")
}

// cluster is a connection, to one namespace.
type cluster struct {
	client    dynamic.Interface
	pods      *http.Client // for http://NAME.NAMESPACE:PORT/
	server    string       // URL of the API, as the kubeconfig says it
	namespace string
	routers   string // their namespace, in a cluster
	endpoints Endpoints
}

// open reads the kubeconfig. It makes no request.
func (t *target) open() (*cluster, error) {
	config, err := t.config()
	if err != nil {
		return nil, err
	}
	raw, err := config.RawConfig()
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	name := raw.CurrentContext
	if t.context != "" {
		name = t.context
	}
	entry := raw.Contexts[name]
	if entry == nil && (name != "" || len(raw.Contexts) > 0) {
		return nil, fmt.Errorf("the kubeconfig has no context %q: choose one with --context: %s",
			name, strings.Join(slices.Sorted(maps.Keys(raw.Contexts)), ", "))
	}
	rest, err := config.ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, errors.New("there is no kubeconfig yet: 'serin up' writes one, or choose another with --kubeconfig")
	}
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	rest.QPS = -1 // the API server's own fairness is the limit
	out := &cluster{server: rest.Host, routers: t.routers}
	if entry != nil {
		if out.endpoints, err = endpointsOf(raw.Clusters[entry.Cluster]); err != nil {
			return nil, err
		}
	}
	if out.namespace, _, err = config.Namespace(); err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	api, _, err := restclient.DefaultServerUrlFor(rest)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	out.pods = podClient(forwarding(rest, api))
	if out.client, err = dynamic.NewForConfig(rest); err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	return out, nil
}

func (t *target) config() (clientcmd.ClientConfig, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = t.kubeconfig
	if t.kubeconfig == "" && os.Getenv(clientcmd.RecommendedConfigPathEnvVar) == "" && t.options.Kubeconfig != nil {
		file, err := t.options.Kubeconfig()
		if err != nil {
			return nil, err
		}
		rules.Precedence = []string{file}
	}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: t.context}
	overrides.Context.Namespace = t.namespace
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides), nil
}
