// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"strings"

	cliflag "k8s.io/component-base/cli/flag"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	controlleroptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	"k8s.io/kubernetes/cmd/kube-controller-manager/names"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	scheduleroptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"

	"github.com/serin-dev/serin/internal/lifecycle"
)

// wanted are the controllers between a Deployment and its Pods, those that
// clean up after them, and those that bind claims to volumes and let go of them.
// Without the latter a deleted claim keeps the finalizer of the API server.
var wanted = []string{
	names.DeploymentController,
	names.ReplicaSetController,
	names.GarbageCollectorController,
	names.NamespaceController,
	names.ServiceAccountController,
	names.RootCACertificatePublisherController,
	names.PodGarbageCollectorController,
	names.DisruptionController,
	names.PersistentVolumeBinderController,
	names.PersistentVolumeClaimProtectionController,
	names.PersistentVolumeProtectionController,
}

func (s *Server) startControllers(p *pki) error {
	o, err := controlleroptions.NewKubeControllerManagerOptions()
	if err != nil {
		return fmt.Errorf("make kube-controller-manager's options: %w", err)
	}
	all, off, aliases := controllers.KnownControllers(), controllers.ControllersDisabledByDefault(), controllers.ControllerAliases()
	flags := o.Flags(all, off, aliases)
	o.ParsedFlags = &flags
	if err := set(flags, map[string]string{
		"kubeconfig":                       p.path(fileAdmin),
		"controllers":                      strings.Join(wanted, ","),
		"leader-elect":                     "false",
		"secure-port":                      "0",
		"root-ca-file":                     p.path(fileCA),
		"service-account-private-key-file": p.path(fileAccountKey),
		"kube-api-qps":                     "1000",
		"kube-api-burst":                   "1000",
		"pvclaimbinder-sync-period":        "1s", // a claim waits for the next sync after its volume was made
	}); err != nil {
		return fmt.Errorf("kube-controller-manager: %w", err)
	}
	c, err := o.Config(context.Background(), all, off, aliases)
	if err != nil {
		return fmt.Errorf("configure kube-controller-manager: %w", err)
	}
	s.Start("kube-controller-manager", func(ctx context.Context) error {
		// kube-controller-manager gives up waiting for the API server after 10
		// seconds, and bootstrapping takes longer on a slow machine.
		if err := lifecycle.Until(ctx, "kube-apiserver", s.ready()); err != nil {
			return err
		}
		return controllers.Run(ctx, c.Complete())
	})
	return nil
}

func (s *Server) startScheduler(p *pki) error {
	o := scheduleroptions.NewOptions()
	if err := set(*o.Flags, map[string]string{
		"kubeconfig":     p.path(fileAdmin),
		"leader-elect":   "false",
		"secure-port":    "0",
		"kube-api-qps":   "1000",
		"kube-api-burst": "1000",
	}); err != nil {
		return fmt.Errorf("kube-scheduler: %w", err)
	}
	s.Start("kube-scheduler", func(ctx context.Context) error {
		c, sched, err := scheduler.Setup(ctx, o)
		if err != nil {
			return err
		}
		return scheduler.Run(ctx, c, sched)
	})
	return nil
}

// set gives flags their values, as a command line would.
func set(flags cliflag.NamedFlagSets, values map[string]string) error {
	for name, value := range values {
		found := false
		for _, fs := range flags.FlagSets {
			if fs.Lookup(name) == nil {
				continue
			}
			found = true
			if err := fs.Set(name, value); err != nil {
				return fmt.Errorf("flag --%s: %w", name, err)
			}
		}
		if !found {
			return fmt.Errorf("there is no flag --%s", name)
		}
	}
	return nil
}
