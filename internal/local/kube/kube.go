// SPDX-License-Identifier: Apache-2.0

// Package kube is a real Kubernetes control plane: kube-apiserver,
// kube-scheduler, and those controllers of kube-controller-manager that a
// Deployment needs to become Pods, inside this process. etcd runs in a child
// process, which is restarted whenever it ends, as on a full disk.
//
//	etcd (unix socket) <- kube-apiserver (TLS on loopback) <- controllers, scheduler, all other clients
//
// All state is in one directory: etcd's data, the certificates and a kubeconfig.
// The API listens on loopback only. It has no anonymous user and no static
// token; clients need a certificate that the directory's own authority signed.
// It leaves out what a laptop does not need: no
// EndpointSlices (they reject loopback addresses), no leader election, no
// aggregated APIs, no cloud, no volumes but local ones.
//
// The Kubernetes components keep process-wide state (feature gates, metrics,
// loggers), so a process starts one Server in its life.
package kube

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"github.com/google/renameio/v2"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/serin-dev/serin/internal/lifecycle"
	_ "github.com/serin-dev/serin/internal/local/kube/quiet" // before kube-apiserver's packages
)

// Config is the configuration of a Server.
type Config struct {
	// Dir holds all state; created with mode 0700 when absent.
	Dir string
	// Listener takes the API's connections. Nil means a free loopback port.
	Listener net.Listener
	// Etcd is the program serin-etcd.
	Etcd string
	// Restore begins with the copy of etcd's data.
	Restore bool
	// NodeName is the name of the only node; it is named in its certificate.
	NodeName string
	// Manifests are trees of YAML files, applied before the controllers start:
	// what is defined by then is garbage-collected from the first second.
	Manifests []fs.FS
	// NoSync skips fsync: quicker, and unsafe to kill. For tests.
	NoSync bool
	// Log takes the output of the Kubernetes components, which is much. Nil drops it.
	Log *slog.Logger
	// Say takes messages for the user. Nil drops them.
	Say *slog.Logger
	// Progress is called with the part that is being started, in a few words. May be nil.
	Progress func(string)
}

// Server is a running control plane: its parts, and how to reach it.
type Server struct {
	// REST connects as an administrator, unthrottled.
	REST *rest.Config
	// Kubeconfig is the same as a file's content, with context "serin".
	Kubeconfig []byte
	// NodeTLS is for the node's own server: its only client is the API server.
	NodeTLS *tls.Config

	*lifecycle.Parts
	stopping atomic.Bool
}

// Stop stops all parts in reverse order and waits for them. A part that ends for
// that reason is no failure.
func (s *Server) Stop() error {
	s.stopping.Store(true)
	return s.Parts.Stop()
}

var started atomic.Bool

// Start starts the control plane and returns once its API is ready. ctx bounds
// the start only: the Server runs until Stop. A second call in one process is an
// error.
func Start(ctx context.Context, c Config) (_ *Server, err error) {
	if !started.CompareAndSwap(false, true) {
		return nil, errors.New("a process can start one control plane only")
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Say == nil {
		c.Say = slog.New(slog.DiscardHandler)
	}
	klog.SetSlogLogger(c.Log)
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	if c.Listener == nil {
		if c.Listener, err = new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
			return nil, fmt.Errorf("listen for the API: %w", err)
		}
	}
	p, err := loadPKI(filepath.Join(c.Dir, "pki"), c.NodeName)
	if err != nil {
		return nil, err
	}
	s := &Server{NodeTLS: p.nodeTLS(), Parts: lifecycle.New()}
	if s.Kubeconfig, s.REST, err = p.admin("https://" + c.Listener.Addr().String()); err != nil {
		return nil, err
	}
	if err := renameio.WriteFile(p.path(fileAdmin), s.Kubeconfig, 0o600); err != nil {
		return nil, fmt.Errorf("write kubeconfig: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()

	s.catchFatal()
	c.Progress("etcd")
	endpoint, err := s.startEtcd(ctx, c)
	if err != nil {
		return nil, err
	}
	c.Progress("kube-apiserver")
	if err := s.startAPIServer(ctx, c, p, endpoint); err != nil {
		return nil, err
	}
	c.Progress("scheduler and controllers")
	if err := s.startScheduler(p); err != nil {
		return nil, err
	}
	if err := s.Apply(ctx, c.Manifests...); err != nil {
		return nil, err
	}
	if err := s.startControllers(p); err != nil {
		return nil, err
	}
	return s, s.waitReady(ctx)
}

// catchFatal makes a part's failure of what Kubernetes' components would end
// the process for, with exit code 255 and without another word, also when it
// is because they are being stopped. The goroutine that meant to do so ends.
func (s *Server) catchFatal() {
	fatal := make(chan error, 1)
	klog.OsExit = func(int) {
		select {
		case fatal <- errors.New("a component gave up; its last words are in kubernetes.log"):
		default:
		}
		runtime.Goexit()
	}
	s.Start("kubernetes", func(ctx context.Context) error {
		select {
		case err := <-fatal:
			if !s.stopping.Load() {
				return err
			}
		case <-ctx.Done():
		}
		<-ctx.Done()
		return nil
	})
}
