// SPDX-License-Identifier: Apache-2.0

// Package local runs Serin on a laptop: it starts the control plane,
// the process node, the controller, the autoscaler and the router in one
// process, and wires them by handing each its listener and its client. It
// holds no logic of a rollout: clusters run the same parts.
//
// One directory holds everything: etcd's data, certificates, logs, the model
// cache and the files of running Pods. A second process on the same directory
// is refused. After kill -9 the next start goes on with all of it.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	"gopkg.in/natefinch/lumberjack.v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/serin-dev/serin/api/crd"
	"github.com/serin-dev/serin/internal/cli"
	"github.com/serin-dev/serin/internal/controlplane/autoscaler"
	"github.com/serin-dev/serin/internal/controlplane/controller"
	"github.com/serin-dev/serin/internal/controlplane/operator"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/dataplane/connlimit"
	"github.com/serin-dev/serin/internal/dataplane/proxy"
	"github.com/serin-dev/serin/internal/dataplane/router"
	"github.com/serin-dev/serin/internal/dataplane/routing"
	"github.com/serin-dev/serin/internal/lifecycle"
	"github.com/serin-dev/serin/internal/local/kube"
	"github.com/serin-dev/serin/internal/local/node"
)

// nodeName is the name of the only node, as `kubectl get nodes` shows it.
const nodeName = "serin"

// Parts that can be left out. Controller includes the autoscaler.
const (
	Controller = "controller"
	Node       = "node"
	Router     = "router"
)

// Parts lists the parts that can be left out.
var Parts = []string{Controller, Node, Router}

// Config is the configuration of a local Serin.
type Config struct {
	// Dir holds all state.
	Dir string
	// Kubeconfig is the file that gets the context "serin". Contexts of other
	// clusters in it are kept.
	Kubeconfig string
	// Programs is the directory of serin-etcd, serin-modelserver, serin-queue and
	// serin-fetch.
	Programs string
	// API is the listener of the Kubernetes API, Router that of public services,
	// and Inside that of all services, private ones included.
	API, Router, Inside net.Listener
	// Metrics serves the router's metrics, and its load to the autoscaler.
	Metrics net.Listener
	// Domain is the suffix of services' host names.
	Domain string
	// AccessLog gets a line for every request. Nil writes none.
	AccessLog io.Writer
	// Env is the environment of every model process, such as credentials.
	Env []string
	// Log takes messages for the user.
	Log *slog.Logger
	// Progress is called with the part that is being started.
	Progress func(string)
	// Ready is called once, when everything serves.
	Ready func()
	// Without leaves some of Parts out, for developers who run them by themselves.
	Without []string
	// Restore begins with the copy of etcd's data.
	Restore bool
	// NoSync is for tests: quicker, and unsafe to kill.
	NoSync bool
}

// Run starts all parts in order, and stops them in reverse order when ctx ends.
// It returns nil if ctx ends during the start, even if a part fails for that.
func Run(ctx context.Context, c Config) error {
	ready := c.Ready
	served := false
	c.Ready = func() { served = true; ready() }
	err := run(ctx, c)
	if err != nil && ctx.Err() != nil && !served {
		c.Log.Debug("stopped while starting", "err", err)
		return nil
	}
	return err
}

func run(ctx context.Context, c Config) (err error) {
	steady := saveMemory()
	each, err := share(proxy.Descriptors())
	if err != nil {
		return err
	}
	unlock, err := lock(c.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := writeExample(c.Dir); err != nil {
		return err
	}
	logs, err := kubernetesLog(c.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logs.Close()) }()
	chatter := slog.New(slog.NewTextHandler(logs, nil))
	ctrllog.SetLogger(logr.FromSlogHandler(chatter.Handler()))

	server, err := kube.Start(ctx, c.kubernetes(ownConnections+each, chatter))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	if err := mergeKubeconfig(c.Kubeconfig, server.Kubeconfig, endpoints(c)); err != nil {
		return err
	}

	if err := c.mark(ctx, server.REST); err != nil {
		return err
	}
	nodeListener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the node: %w", err)
	}
	parts := lifecycle.New()
	defer func() { err = errors.Join(err, parts.Stop()) }()
	if p := c.parts(); len(p) > 0 {
		c.Progress(strings.Join(p, ", "))
	}
	start(parts, c, server, connlimit.Listen(nodeListener, each), each)
	if err := waitServing(ctx, c, server.REST, parts); err != nil {
		return err
	}
	c.Ready()
	steady()
	select {
	case <-ctx.Done():
		return nil
	case err := <-server.Failed():
		return err
	case err := <-parts.Failed():
		return err
	}
}

// kubernetes returns the configuration of the API server and its controllers. The API server takes up to
// connections at once, and all of Kubernetes logs to log.
func (c Config) kubernetes(connections int, log *slog.Logger) kube.Config {
	return kube.Config{
		Dir:       filepath.Join(c.Dir, "kubernetes"),
		Listener:  connlimit.Listen(c.API, connections),
		Etcd:      c.program("etcd"),
		Restore:   c.Restore,
		NodeName:  nodeName,
		Manifests: []fs.FS{crd.Files, render.Runtimes},
		NoSync:    c.NoSync,
		Log:       log,
		Say:       c.Log,
		Progress:  c.Progress,
	}
}

// has reports whether a part runs in this process.
func (c Config) has(part string) bool { return !slices.Contains(c.Without, part) }

// program is the path of one of the small programs.
func (c Config) program(name string) string { return filepath.Join(c.Programs, "serin-"+name) }

// parts are those that run in this process.
func (c Config) parts() []string {
	return slices.DeleteFunc(slices.Clone(Parts), func(p string) bool { return !c.has(p) })
}

// endpoints are the addresses that commands find in the kubeconfig.
func endpoints(c Config) cli.Endpoints {
	if !c.has(Router) {
		return cli.Endpoints{}
	}
	return cli.Endpoints{
		Router:  "http://" + c.Router.Addr().String(),
		Metrics: "http://" + c.Metrics.Addr().String(),
	}
}

// start starts the parts that Serin adds to Kubernetes. The router starts last
// and so stops first: it finishes its requests while the models still run.
func start(parts *lifecycle.Parts, c Config, server *kube.Server, nodeListener net.Listener, each int) {
	run := func(part, name string, run func(context.Context) error) {
		if c.has(part) {
			parts.Start(name, run)
		}
	}
	run(Node, "node", func(ctx context.Context) error {
		return node.Run(ctx, node.Config{
			REST: server.REST,
			Name: nodeName,
			Dir:  filepath.Join(c.Dir, "node"),
			Programs: map[string]string{
				"serin/modelserver": c.program("modelserver"),
				"serin/queue":       c.program("queue"),
				"serin/fetch":       c.program("fetch"),
				// KServe's own runtimes, applied over Serin's, keep the built-in server.
				"kserve/sklearnserver": c.program("modelserver"),
				"kserve/xgbserver":     c.program("modelserver"),
				"kserve/lgbserver":     c.program("modelserver"),
			},
			Env:      append(slices.Clip(c.Env), "SERIN_PYTHON_ENVIRONMENTS="+filepath.Join(c.Dir, "python")),
			Listener: nodeListener,
			TLS:      server.NodeTLS,
			Log:      c.Log,
		})
	})
	run(Controller, "controller", func(ctx context.Context) error {
		return controller.Run(ctx, controller.Config{
			Config: operator.Config{REST: server.REST, Log: c.Log},
			Domain: c.Domain,
			Render: render.Options{
				FetchImage: "serin/fetch",
				QueueImage: "serin/queue",
				ModelCache: ModelCache(c.Dir),
			},
			Routable: routing.Check,
		})
	})
	run(Controller, "autoscaler", func(ctx context.Context) error {
		config := autoscaler.Config{Config: operator.Config{REST: server.REST, Log: c.Log}}
		if c.has(Router) {
			config.Routers = c.Metrics.Addr().String()
		}
		return autoscaler.Run(ctx, config)
	})
	run(Router, "router", func(ctx context.Context) error {
		return router.Run(ctx, router.Config{
			Listener:  c.Router,
			Inside:    c.Inside,
			Loopback:  true, // the node's processes
			Admin:     c.Metrics,
			REST:      server.REST,
			Domain:    c.Domain,
			AccessLog: c.AccessLog,
			Log:       c.Log,
			// The same number to Pods, because each request needs one of both.
			Connections: proxy.Connections{Most: each, PerClient: each, Targets: each},
		})
	})
}

// kubernetesLog returns the log file of Kubernetes' components. It is emptied at
// each start and keeps only its end, so that it does not fill the disk.
func kubernetesLog(dir string) (io.WriteCloser, error) {
	const megabytes = 10
	file := filepath.Join(dir, "kubernetes.log")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return &lumberjack.Logger{Filename: file, MaxSize: megabytes, MaxBackups: 1}, nil
}
