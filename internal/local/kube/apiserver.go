// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// startAPIServer starts kube-apiserver and waits until an administrator can use it.
func (s *Server) startAPIServer(ctx context.Context, c Config, p *pki, etcd string) error {
	// Several components in one process apply the same logging settings.
	logsapi.ReapplyHandling = logsapi.ReapplyHandlingIgnoreUnchanged
	rest.SetDefaultWarningHandler(rest.NoWarnings{})

	o := options.NewServerRunOptions()
	if err := set(o.Flags(), map[string]string{
		"bind-address":                     "127.0.0.1",
		"advertise-address":                "127.0.0.1", // the only address of a laptop without a network
		"endpoint-reconciler-type":         "none",
		"secure-port":                      strconv.Itoa(c.Listener.Addr().(*net.TCPAddr).Port),
		"etcd-servers":                     etcd,
		"tls-cert-file":                    p.path(fileServing),
		"tls-private-key-file":             p.path(fileServingKey),
		"client-ca-file":                   p.path(fileCA),
		"kubelet-certificate-authority":    p.path(fileCA),
		"kubelet-client-certificate":       p.path(fileKubelet),
		"kubelet-client-key":               p.path(fileKubeletKey),
		"kubelet-preferred-address-types":  "InternalIP",
		"service-account-issuer":           "https://kubernetes.default.svc",
		"service-account-key-file":         p.path(fileAccountKey),
		"service-account-signing-key-file": p.path(fileAccountKey),
		"service-cluster-ip-range":         "10.0.0.0/16",
		"authorization-mode":               "RBAC",
		"anonymous-auth":                   "false",
		"allow-privileged":                 "true",
		"profiling":                        "false",
		"enable-priority-and-fairness":     "false", // there is one user
		// Without a bound the end waits a minute for open watches.
		"shutdown-watch-termination-grace-period": "1s",
		// A new Node must take Pods at once: there is no lifecycle controller to untaint it.
		"disable-admission-plugins": "TaintNodesByCondition",
	}); err != nil {
		return fmt.Errorf("kube-apiserver: %w", err)
	}
	o.SecureServing.Listener = c.Listener
	if err := o.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return fmt.Errorf("set feature gates: %w", err)
	}
	completed, err := o.Complete(ctx)
	if err != nil {
		return fmt.Errorf("complete kube-apiserver's options: %w", err)
	}
	if errs := completed.Validate(); len(errs) > 0 {
		return fmt.Errorf("kube-apiserver's options: %w", utilerrors.NewAggregate(errs))
	}
	s.Start("kube-apiserver", func(ctx context.Context) error { return runAPIServer(ctx, completed) })
	return s.waitReady(ctx, bootstrap...)
}

// shutdownTimeout bounds how long the end waits for clients' connections. A
// client that retries, such as a controller outside, keeps its connection busy
// for ever.
const shutdownTimeout = 2 * time.Second

// stopTimeout bounds the end as a whole: if etcd has ended, as on a full disk,
// the API server waits for it.
const stopTimeout = 6 * time.Second

// runAPIServer replaces app.Run, which waits for a minute at the end.
func runAPIServer(ctx context.Context, o options.CompletedOptions) error {
	config, err := app.NewConfig(o)
	if err != nil {
		return err
	}
	completed, err := config.Complete()
	if err != nil {
		return err
	}
	server, err := app.CreateServerChain(completed)
	if err != nil {
		return err
	}
	server.GenericAPIServer.ShutdownTimeout = shutdownTimeout
	prepared, err := server.PrepareRun()
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- prepared.Run(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(stopTimeout):
		return nil // the process ends
	}
}

// readyTimeout bounds the start: a slow disk may need a while, no disk a minute.
const readyTimeout = 2 * time.Minute

// bootstrap are the hooks that fill an empty store with what administrators do
// not need. They take seconds, in which much else can start.
var bootstrap = []string{"poststarthook/rbac/bootstrap-roles", "poststarthook/scheduling/bootstrap-system-priority-classes"}

// waitReady waits until the API server reports that it is ready, except for some
// hooks.
func (s *Server) waitReady(ctx context.Context, but ...string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return s.Until(ctx, "kube-apiserver", s.ready(but...))
}

// ready returns a function that returns an error unless the API server is ready,
// except for some hooks.
func (s *Server) ready(but ...string) func(context.Context) error {
	client, err := kubernetes.NewForConfig(s.REST)
	return func(ctx context.Context) error {
		if err != nil {
			return err
		}
		ask := client.Discovery().RESTClient().Get().AbsPath("/readyz").Timeout(time.Second)
		for _, hook := range but {
			ask = ask.Param("exclude", hook)
		}
		said, err := ask.DoRaw(ctx)
		if err != nil {
			return fmt.Errorf("%w: %s", err, said)
		}
		return nil
	}
}
