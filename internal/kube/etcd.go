// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// maxSocketPath is what a unix socket's address holds on every system we know.
const maxSocketPath = 100

// startEtcd starts a single-member etcd and returns its endpoint. It listens on
// a unix socket in a private directory, because etcd itself asks nobody for
// credentials and loopback is open to every user of the machine.
func (s *Server) startEtcd(ctx context.Context, c Config) (endpoint string, err error) {
	sockets, remove, err := socketDir(c.Dir)
	if err != nil {
		return "", err
	}
	client := url.URL{Scheme: "unix", Path: filepath.Join(sockets, "etcd.sock")}
	peer := url.URL{Scheme: "unix", Path: filepath.Join(sockets, "peer.sock")}
	for _, u := range []url.URL{client, peer} {
		_ = os.Remove(u.Path) // a killed process leaves its sockets
	}

	e := embed.NewConfig()
	e.Name = "serin"
	e.Dir = filepath.Join(c.Dir, "etcd")
	e.ListenClientUrls, e.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	e.ListenPeerUrls, e.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	e.InitialCluster = e.InitialClusterFromName(e.Name)
	e.UnsafeNoFsync = c.NoSync
	e.AutoCompactionMode, e.AutoCompactionRetention = "periodic", "10m"
	e.SnapshotCount = 5000 // the log is kept in memory; a laptop needs less of it
	e.TickMs, e.ElectionMs = 20, 100
	e.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())

	server, err := embed.StartEtcd(e)
	if err != nil {
		remove()
		return "", fmt.Errorf("start etcd in %s: %w", e.Dir, err)
	}
	s.Start("etcd", func(ctx context.Context) error {
		defer remove()
		defer server.Close()
		select {
		case <-ctx.Done():
			return nil
		case err := <-server.Err():
			return err
		}
	})
	select {
	case <-server.Server.ReadyNotify():
		return client.String(), nil
	case err := <-s.Failed():
		return "", err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// socketDir is a private directory whose path is short enough for sockets, and
// what removes it again.
func socketDir(dir string) (string, func(), error) {
	if dir, err := filepath.Abs(dir); err == nil && len(dir) < maxSocketPath-len("/etcd.sock") {
		return dir, func() {}, nil
	}
	tmp, err := os.MkdirTemp("", "serin-") // mode 0700
	if err != nil {
		return "", nil, fmt.Errorf("make socket directory: %w", err)
	}
	return tmp, func() { _ = os.RemoveAll(tmp) }, nil
}
