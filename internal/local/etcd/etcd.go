// SPDX-License-Identifier: Apache-2.0

// Package etcd is the store of a local Serin, in a program of its own. etcd
// ends its process when it cannot write, as on a full disk, and when its data
// is damaged. The models must not end with it, so `serin up` runs it as a child
// and starts it again.
//
//	serin up --starts--> serin-etcd:  DIR/etcd         its data
//	                                  DIR/etcd.backup  a copy that was found whole
//
// It keeps one copy of its data: made a minute after the start, every ten
// minutes and at the end, and stored only if reading it finds no damage. Restore
// starts from it. Unlike etcd, it refuses to start if half of its data is
// missing.
package etcd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// Config is the configuration of etcd.
type Config struct {
	// Dir holds its data and the copy.
	Dir string
	// Socket is the path of the unix socket that it listens on, 100 bytes at most.
	Socket string
	// Restore replaces the data by the copy. What is there is kept beside it.
	Restore bool
	// NoSync skips fsync: quicker, and unsafe to kill. For tests.
	NoSync bool
	// Ready is called once, when etcd answers.
	Ready func()
	// Log takes the log of etcd.
	Log *zap.Logger
}

// startTimeout bounds a start: if a part of its log is missing, etcd waits for
// it for ever.
const startTimeout = 20 * time.Second

// When the data is copied.
const (
	firstBackup = time.Minute
	nextBackup  = 10 * time.Minute
)

// peer is the socket for other members. There are none.
func (c Config) peer() url.URL {
	return url.URL{Scheme: "unix", Path: filepath.Join(filepath.Dir(c.Socket), "peer.sock")}
}

// marker is a file beside data of which etcd was never ready, so that no client
// has stored anything. If etcd is killed at a certain moment of its first start,
// the next start would wait for ever: clear removes such data. The marker is
// removed, and the removal synced, before the first client connects.
func (c Config) marker() string { return filepath.Join(c.Dir, "etcd.unfinished") }

// clear removes data that has a marker.
func (c Config) clear() error {
	if _, err := os.Stat(c.marker()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(os.RemoveAll(c.data()), os.Remove(c.marker()))
}

// mark writes the marker if there is no data yet.
func (c Config) mark() error {
	if _, err := os.Stat(c.data()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(c.marker(), nil, 0o600)
}

func (c Config) unmark() error {
	err := os.Remove(c.marker())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || c.NoSync {
		return err
	}
	dir, err := os.Open(c.Dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (c Config) data() string   { return filepath.Join(c.Dir, "etcd") }
func (c Config) backup() string { return filepath.Join(c.Dir, "etcd.backup") }

// Run runs etcd until ctx ends, and then stores a last copy. It returns an error
// if the data is damaged or etcd fails. etcd itself may end the process.
func Run(ctx context.Context, c Config) error {
	if err := c.clear(); err != nil {
		return err
	}
	if c.Restore {
		if err := c.restore(time.Now()); err != nil {
			return err
		}
	}
	if err := c.whole(); err != nil {
		return err
	}
	if err := c.mark(); err != nil {
		return err
	}
	late := time.AfterFunc(startTimeout, func() { c.Log.Fatal("not ready after " + startTimeout.String()) })
	server, err := embed.StartEtcd(c.embed())
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer server.Close()
	select {
	case <-server.Server.ReadyNotify():
		late.Stop()
		if err := c.unmark(); err != nil {
			return err
		}
		c.Ready()
	case err := <-server.Err():
		return err
	case <-ctx.Done():
		return nil
	}
	save := func() {
		if err := c.save(server.Server.Backend()); err != nil {
			c.Log.Warn("copy the data", zap.Error(err))
		}
	}
	timer := time.NewTimer(firstBackup)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			save()
			return nil
		case err := <-server.Err():
			return err
		case <-timer.C:
			save()
			timer.Reset(nextBackup)
		}
	}
}

// embed is the configuration of a cluster of one.
func (c Config) embed() *embed.Config {
	client, peer := url.URL{Scheme: "unix", Path: c.Socket}, c.peer()
	for _, u := range []url.URL{client, peer} {
		_ = os.Remove(u.Path) // a killed process leaves its sockets
	}
	e := embed.NewConfig()
	e.Name = name
	e.Dir = c.data()
	e.ListenClientUrls, e.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	e.ListenPeerUrls, e.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	e.InitialCluster = e.InitialClusterFromName(e.Name)
	e.UnsafeNoFsync = c.NoSync
	e.AutoCompactionMode, e.AutoCompactionRetention = "periodic", "10m"
	e.SnapshotCount = 5000         // etcd keeps the log in memory: a laptop needs less of it
	e.SnapshotCatchUpEntries = 100 // they are for members that lag, and there are none
	e.TickMs, e.ElectionMs = 20, 100
	e.ZapLoggerBuilder = embed.NewZapLoggerBuilder(c.Log)
	return e
}

// name is the member's name. It is stored in the data.
const name = "serin"
