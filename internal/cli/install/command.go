// SPDX-License-Identifier: Apache-2.0

package install

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/cli/terminal"
	"github.com/serin-dev/serin/internal/cli/usage"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/setting"
)

// target is the cluster that the flags name. Unlike that of other commands, it
// does not default to the one of `serin up`.
type target struct{ kubeconfig, context string }

func (t *target) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&t.kubeconfig, "kubeconfig", "", "kubeconfig file of the cluster (default: as for kubectl)")
	fs.StringVar(&t.context, "context", "", "context of the kubeconfig to use")
}

// open connects and prints the address. It refuses the API of `serin up`.
func (t *target) open(ctx context.Context, progress io.Writer) (*cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = t.kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: t.context}).ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, errors.New("there is no kubeconfig: name one with --kubeconfig or KUBECONFIG")
	}
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	fmt.Fprintf(progress, "Cluster %s\n", config.Host)
	cl, err := connect(config, progress)
	if err != nil {
		return nil, err
	}
	return cl, cl.notLocal(ctx)
}

// serviceTypes are the types of the router's Service that make sense.
var serviceTypes = []string{string(corev1.ServiceTypeClusterIP), string(corev1.ServiceTypeNodePort), string(corev1.ServiceTypeLoadBalancer)}

// maxReplicas bounds the replicas of one part.
const maxReplicas = 1000

// What a registry takes.
var (
	imagePrefix  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._:/-]*[A-Za-z0-9])?$`)
	imageVersion = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
)

func (o *Options) addFlags(fs *pflag.FlagSet) {
	fs.VarP(setting.Name(&o.Namespace, o.Namespace), "namespace", "n", "namespace of the controller and the router; it is created if it does not exist")
	fs.StringVar(&o.ImagePrefix, "image-prefix", o.ImagePrefix, "registry and path of the images, which are PREFIX/controller:VERSION and so on; required")
	fs.StringVar(&o.Version, "image-version", o.Version, "tag of the images (default: the version of this program)")
	fs.StringVar(&o.PullSecret, "pull-secret", o.PullSecret, "Secret in the namespace for pulling the controller and the router")
	fs.Var(setting.Domain(&o.Domain, o.Domain), "domain", "domain of the services' hosts, NAME.NAMESPACE.DOMAIN")
	fs.StringVar(&o.Gateway, "gateway", o.Gateway, "NAMESPACE/NAME of a Gateway before the router: each service gets an HTTPRoute")
	fs.StringVar(&o.IngressClass, "ingress-class", o.IngressClass, "class of the Ingress controller before the router: each service gets an Ingress")
	fs.Var(setting.OneOf(&o.URLScheme, o.URLScheme, "http", "https"), "url-scheme", "scheme of the services' URLs, http or https")
	fs.Var(setting.OneOf(&o.ServiceType, o.ServiceType, serviceTypes...), "service-type", "type of the router's Service: ClusterIP, NodePort or LoadBalancer")
	fs.Var(setting.Number(&o.Controllers, o.Controllers, 1, maxReplicas), "controllers", "replicas of the controller; one of them is the leader")
	fs.Var(setting.Number(&o.Routers, o.Routers, 1, maxReplicas), "routers", "replicas of the router")
	fs.Var(setting.Environment(&o.FetchEnv), "fetch-env", "environment variable for model downloads, such as HTTPS_PROXY or AWS_ENDPOINT_URL; may be repeated")
	fs.Var(setting.Environment(&o.Limits), "limit", "limit for the router and for the queues in models' Pods, named like their flags, such as stream-idle-timeout=1h; may be repeated")
	fs.Var(setting.Folder(&o.ModelCache, o.ModelCache), "model-cache", "folder on each node that keeps downloaded models; user 65532 must be able to write there (default: every Pod downloads for itself)")
}

// validate returns an error if the flags contradict each other or one is missing.
func (o *Options) validate() error {
	switch {
	case o.ImagePrefix == "":
		return usage.Errorf("--image-prefix is required: the registry and path of the images of 'make images', such as registry.example.com/serin")
	case slices.ContainsFunc(o.Limits, func(v string) bool { return !isLimit(v) }):
		return usage.Errorf("--limit %s: must be NAME=VALUE, where NAME is one of %s", strings.Join(o.Limits, ", "), strings.Join(limits, ", "))
	case strings.HasSuffix(o.ImagePrefix, "/"):
		return usage.Errorf("--image-prefix %s: remove the slash at its end", o.ImagePrefix)
	case strings.Contains(o.ImagePrefix, "://") || !imagePrefix.MatchString(o.ImagePrefix):
		return usage.Errorf("--image-prefix %s: must be a registry and a path, such as registry.example.com/serin", o.ImagePrefix)
	case !imageVersion.MatchString(o.Version):
		return usage.Errorf("--image-version %s: must be an image's tag: at most 128 letters, digits, dots, _ and -", o.Version)
	case o.Namespace == "":
		return usage.Errorf("--namespace must not be empty")
	}
	return usage.Wrap(render.ExternalRoute{Gateway: o.Gateway, IngressClass: o.IngressClass}.Check())
}

// limits are the flags that routers and queues have in common: rates and numbers
// of connections, and durations.
var limits = []string{
	"client-body-timeout", "client-header-timeout", "max-connections", "max-connections-per-client", "min-request-body-data-rate", "min-request-body-data-rate-grace",
	"min-response-data-rate", "send-timeout", "stream-idle-timeout",
}

// isLimit reports whether the programs would take a limit.
func isLimit(limit string) bool {
	name, value, _ := strings.Cut(limit, "=")
	if !slices.Contains(limits, name) {
		return false
	}
	if strings.HasSuffix(name, "-rate") || strings.HasPrefix(name, "max-connections") {
		n, err := strconv.Atoi(value)
		return err == nil && n >= 0
	}
	d, err := time.ParseDuration(value)
	return err == nil && d >= 0
}

// Commands are `install` and `uninstall` of a program, whose images have a
// version.
func Commands(program, version string) []*cobra.Command {
	return []*cobra.Command{installCommand(program, version), uninstallCommand(program)}
}

func installCommand(program, version string) *cobra.Command {
	o := Defaults("")
	var (
		t              target
		export, dryRun bool
		wait           time.Duration
	)
	c := &cobra.Command{
		Use:   "install",
		Short: "Install Serin in a cluster, or upgrade it",
		Long: `Install the controller and the router in a cluster, with their definitions,
accounts and rights. Run it again to upgrade or to change a setting. Repeat all
flags then: settings that you leave out get their defaults. It needs the rights of
a cluster administrator, but no webhook, certificates or other installation.`,
		Example: terminal.Examples(program, `install --image-prefix registry.example.com/serin
install --image-prefix registry.example.com/serin --service-type NodePort --domain models.example.com
install --image-prefix registry.example.com/serin --export > serin.yaml`),
		RunE: func(c *cobra.Command, _ []string) error {
			o.Version = cmp.Or(o.Version, version)
			if err := o.validate(); err != nil {
				return err
			}
			objects, err := Objects(o)
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			if export {
				return Export(out, objects)
			}
			cl, err := t.open(c.Context(), out)
			if err != nil {
				return err
			}
			if err := cl.fits(c.Context(), o); err != nil {
				return err
			}
			if dryRun {
				return cl.install(c.Context(), objects, true)
			}
			if err := cl.upgrade(c.Context(), o.Namespace, objects, wait); err != nil {
				return err
			}
			fmt.Fprintf(out, "Serin is installed. Next: apply an InferenceService, then\n  kubectl -n %s get service %s\nshows where its requests go.\n", o.Namespace, routerName)
			return nil
		},
	}
	o.addFlags(c.Flags())
	t.addFlags(c.Flags())
	c.Flags().BoolVar(&export, "export", false, "print the manifests, for GitOps, without using a cluster")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "let the cluster check everything, but store nothing")
	c.Flags().Var(setting.Duration(&wait, 3*time.Minute, 0), "wait", "how long to wait until both run; 0 does not wait")
	c.MarkFlagsMutuallyExclusive("export", "dry-run")
	return c
}

func uninstallCommand(program string) *cobra.Command {
	o := Defaults("")
	var (
		t        target
		all, yes bool
		timeout  time.Duration
	)
	c := &cobra.Command{
		Use:   "uninstall",
		Short: "Uninstall Serin from a cluster",
		Long: `Delete the controller and the router, with their accounts and rights.
InferenceServices, their Pods and the definitions stay, except with
--delete-services.`,
		Example: terminal.Examples(program, `uninstall -n serin-system
uninstall --delete-services --yes`),
		RunE: func(c *cobra.Command, _ []string) error {
			objects, err := Objects(o)
			if err != nil {
				return err
			}
			cl, err := t.open(c.Context(), c.OutOrStdout())
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), timeout)
			defer cancel()
			err = cl.takeOut(ctx, o.Namespace, objects, all, func(doubt string) error { return confirm(c, doubt, yes) })
			if errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("%w: some objects still exist after %v: run the command again, if necessary with a longer --timeout", err, timeout)
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), "Serin is uninstalled.")
			return nil
		},
	}
	t.addFlags(c.Flags())
	c.Flags().VarP(setting.Name(&o.Namespace, o.Namespace), "namespace", "n", "namespace of controller and router")
	c.Flags().BoolVar(&all, "delete-services", false, "delete all InferenceServices and the definitions too")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for confirmation")
	c.Flags().Var(setting.Duration(&timeout, 15*time.Minute, time.Second), "timeout", "time limit of the whole command, including the question")
	return c
}

// takeOut uninstalls after the user has agreed.
func (c *cluster) takeOut(ctx context.Context, namespace string, objects []*unstructured.Unstructured, services bool, agree func(doubt string) error) error {
	if err := c.hereAlone(ctx, namespace); err != nil {
		return err
	}
	if services {
		if err := agree("All InferenceServices of the cluster, their Pods, all serving runtimes and the definitions will be deleted"); err != nil {
			return err
		}
		if err := c.deleteServices(ctx); err != nil {
			return err
		}
		return c.uninstall(ctx, objects, foreign)
	}
	if err := agree("InferenceServices, their Pods and the definitions stay, but get no requests until Serin is installed again"); err != nil {
		return err
	}
	inhabited, err := c.inhabited(ctx, namespace)
	if err != nil {
		return err
	}
	if inhabited {
		fmt.Fprintf(c.out, "  namespace/%s kept: it has InferenceServices or ServingRuntimes\n", namespace)
	}
	return c.uninstall(ctx, slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool {
		return keptWithServices(o) || inhabited && o.GetKind() == "Namespace"
	}), foreign)
}

// keptWithServices reports whether remaining services need an object: it is a
// definition or a runtime.
func keptWithServices(o *unstructured.Unstructured) bool {
	return o.GetKind() == "CustomResourceDefinition" || o.GetKind() == "ClusterServingRuntime"
}

// foreign reports whether an object with a name of ours was made by another program.
func foreign(o *unstructured.Unstructured) bool { return o.GetLabels()[labelPart] != part }

// deleteServices deletes all InferenceServices and waits until they are gone,
// while the controller still runs.
func (c *cluster) deleteServices(ctx context.Context) error {
	list, err := c.client.Resource(v1beta1.Resource).List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) {
		return nil // there is no such kind
	}
	if err != nil {
		return fmt.Errorf("list InferenceServices: %w", err)
	}
	// All at once, because each takes as long as the last requests of its Pods.
	for i := range list.Items {
		if _, err := c.delete(ctx, &list.Items[i], func(*unstructured.Unstructured) bool { return false }); err != nil {
			return fmt.Errorf("delete %s: %w", describe(&list.Items[i]), err)
		}
	}
	for i := range list.Items {
		if err := c.gone(ctx, &list.Items[i]); err != nil {
			return fmt.Errorf("delete %s: %w", describe(&list.Items[i]), err)
		}
		fmt.Fprintf(c.out, "  %s %s\n", describe(&list.Items[i]), deleted)
	}
	return nil
}

// confirm asks the user whether to go on. Without a terminal it returns an error.
func confirm(c *cobra.Command, doubt string, yes bool) error {
	if yes {
		return nil
	}
	if !terminal.Is(c.InOrStdin()) {
		return fmt.Errorf("%s. Nothing was deleted: use --yes to confirm", doubt)
	}
	fmt.Fprintf(c.OutOrStdout(), "%s.\nGo on? [y/N] ", doubt)
	agreed, err := terminal.Agreed(c.InOrStdin())
	if err == nil && !agreed {
		err = errors.New("nothing was deleted")
	}
	return err
}
