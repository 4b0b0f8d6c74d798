// SPDX-License-Identifier: Apache-2.0

// Package operator is what the controller, the autoscaler and the descheduler
// have in common: the manager of controller-runtime that each of them runs in,
// with its lease, and the events that they record. It decides nothing and
// watches nothing by itself.
package operator

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	ctrlcontroller "sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Config says how a program reaches the API.
type Config struct {
	REST *rest.Config
	Log  *slog.Logger
	// LeaderElection is the namespace of the lease by which one of several
	// replicas works. Empty means that this is the only one.
	LeaderElection string
}

// Options are the parts of a manager that differ between programs.
type Options struct {
	Scheme []func(*runtime.Scheme) error
	Cache  cache.Options
	// Health is the address of /healthz and /readyz, Metrics that of /metrics, which
	// tells of all managers in the process. Empty: not served.
	Health, Metrics string
}

// A killed leader is replaced within leaseDuration + 2 x retryPeriod. client-go
// adds up to 120% to each retryPeriod, so at most 13.4 s.
const (
	leaseDuration = 9 * time.Second
	renewDeadline = 6 * time.Second
	retryPeriod   = time.Second
)

// Manager returns the manager of a program. Its name is that of its lease.
func (c Config) Manager(name string, o Options) (ctrl.Manager, error) {
	logger := logr.FromSlogHandler(c.Log.Handler())
	log.SetLogger(logger)
	scheme := runtime.NewScheme()
	for _, add := range o.Scheme {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	cfg := rest.CopyConfig(c.REST)
	cfg.QPS = -1 // the API server's own fairness is the limit
	return ctrl.NewManager(cfg, ctrl.Options{
		Scheme:                        scheme,
		Logger:                        logger,
		Metrics:                       metricsserver.Options{BindAddress: cmp.Or(o.Metrics, "0")},
		HealthProbeBindAddress:        cmp.Or(o.Health, "0"),
		LeaderElection:                c.LeaderElection != "",
		LeaderElectionNamespace:       c.LeaderElection,
		LeaderElectionID:              name,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 new(leaseDuration),
		RenewDeadline:                 new(renewDeadline),
		RetryPeriod:                   new(retryPeriod),
		Cache:                         o.Cache,
		// Names are checked per process, where a test may run several.
		Controller: config.Controller{SkipNameValidation: new(true)},
	})
}

// Workers returns the options of a controller that works on so many objects at a
// time, and logs the name of each under key.
func Workers(m ctrl.Manager, n int, key string) ctrlcontroller.Options {
	return ctrlcontroller.Options{
		MaxConcurrentReconciles: n,
		LogConstructor: func(req *reconcile.Request) logr.Logger {
			if req == nil {
				return m.GetLogger()
			}
			return m.GetLogger().WithValues(key, req.String())
		},
		RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](5*time.Millisecond, 30*time.Second),
	}
}

// maxMessage bounds an event's message, as Kubernetes' recorders do. What
// strangers wrote may be in it.
const maxMessage = 1024

// Event tells people about an object.
type Event struct {
	// Name is that of the Event. Of several with the same name one is recorded.
	Name      string
	Regarding corev1.ObjectReference
	Type      string
	Reason    string
	Message   string
}

// Record writes an event of a component. One that cannot be written is logged: no
// decision waits for it. client-go's recorder would write in the background, and
// nothing after a crash.
func Record(ctx context.Context, c client.Client, component client.FieldOwner, e Event) {
	now := metav1.Now()
	e.Message = strings.ToValidUTF8(e.Message[:min(len(e.Message), maxMessage)], "")
	err := c.Create(ctx, &corev1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: e.Regarding.Namespace, Name: e.Name},
		InvolvedObject:      e.Regarding,
		Type:                e.Type,
		Reason:              e.Reason,
		Message:             e.Message,
		FirstTimestamp:      now,
		LastTimestamp:       now,
		Count:               1,
		Source:              corev1.EventSource{Component: string(component)},
		ReportingController: string(component),
	})
	if err != nil && !apierrors.IsAlreadyExists(err) && !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		log.FromContext(ctx).Error(err, "cannot record an event", "reason", e.Reason, "message", e.Message)
	}
}

// IgnoreStale drops the errors of a decision about an object that has changed
// or is gone. The change is on its way to the cache, and decides again.
func IgnoreStale(err error) error {
	if apierrors.IsConflict(err) && !apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict) {
		return nil
	}
	return client.IgnoreNotFound(err)
}
