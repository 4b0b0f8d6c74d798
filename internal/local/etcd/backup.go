// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.etcd.io/etcd/server/v3/storage/backend"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

// whole returns an error if the log or the database is missing. etcd itself
// would start without them, and then ignore writes or have lost some.
func (c Config) whole() error {
	db := filepath.Join(c.data(), "member", "snap", "db")
	log := filepath.Join(c.data(), "member", "wal")
	info, err := os.Stat(db)
	hasDB := err == nil && info.Size() > 0
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = os.Remove(c.backup() + ".new") // a copy that was interrupted, as by a full disk
	_, err = os.Stat(c.backup())
	hasCopy := err == nil
	switch hasLog := wal.Exist(log); {
	case !hasDB && !hasLog && hasCopy:
		return fmt.Errorf("the data is damaged: %s is missing, and there is a copy of it; to start without it, move %s away", c.data(), c.backup())
	case hasDB && !hasLog:
		return fmt.Errorf("the data is damaged: there is %s, but no log in %s", db, log)
	case hasLog && !hasDB:
		return fmt.Errorf("the data is damaged: there is a log in %s, but %s is missing or empty", log, db)
	}
	return nil
}

// save stores a copy of the data, unless the copy is damaged.
func (c Config) save(b backend.Backend) (err error) {
	b.ForceCommit()
	from := b.Snapshot()
	defer func() { err = errors.Join(err, from.Close()) }()
	fresh := c.backup() + ".new"
	defer func() { _ = os.Remove(fresh) }() // unless it became the copy
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = from.WriteTo(f)
	if !c.NoSync && err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := check(fresh); err != nil {
		return err
	}
	return os.Rename(fresh, c.backup())
}

// check reads all of a copy.
func check(file string) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // the file is mapped
	defer func() {
		if r := recover(); r != nil { // bbolt panics
			err = fmt.Errorf("%s is damaged: %v", file, r)
		}
	}()
	db, err := bolt.Open(file, 0, &bolt.Options{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("%s is damaged: %w", file, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(_ []byte, b *bolt.Bucket) error {
			return b.ForEach(func(_, _ []byte) error { return nil })
		})
	})
}

// restore replaces the data by the copy, and moves the data aside. It raises the
// revision by a million, so that no client that knows a revision from after the
// copy takes new ones for older.
func (c Config) restore(now time.Time) error {
	if _, err := os.Stat(c.backup()); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no copy to restore: %s does not exist", c.backup())
	}
	if err := check(c.backup()); err != nil {
		return err
	}
	fresh := c.data() + ".restored"
	if err := os.RemoveAll(fresh); err != nil { // left by an interrupted try
		return err
	}
	peer := c.peer()
	if err := snapshot.NewV3(c.Log).Restore(snapshot.RestoreConfig{
		SnapshotPath:        c.backup(),
		Name:                name,
		OutputDataDir:       fresh,
		PeerURLs:            []string{peer.String()},
		InitialCluster:      name + "=" + peer.String(),
		InitialClusterToken: "etcd-cluster",
		SkipHashCheck:       true, // the copy has none; check has read all of it
		RevisionBump:        1_000_000,
		MarkCompacted:       true,
	}); err != nil {
		return fmt.Errorf("restore %s: %w", c.backup(), err)
	}
	old := c.data() + ".before-" + now.UTC().Format("20060102T150405")
	if err := os.Rename(c.data(), old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(fresh, c.data())
}
