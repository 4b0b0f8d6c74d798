// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"time"
)

// meaningful is the progress, in bytes, after which the count of failed attempts begins anew.
const meaningful = 8 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A download is one object on its way to a file.
type download struct {
	object   object
	file     *os.File
	sha, crc hash.Hash
	size     int64 // written so far
	progress *progress
	stall    time.Duration
}

// download writes o to the new file path. After a broken connection it resumes where it stopped.
func (f *fetcher) download(ctx context.Context, o object, path string, p *progress) (digest, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
	if err != nil {
		return "", err
	}
	d := &download{object: o, file: file, sha: sha256.New(), crc: crc32.New(castagnoli), progress: p, stall: f.backoff.stall}
	err = f.retry(ctx, o.label, func() (bool, error) {
		before := d.size
		err := d.attempt(ctx)
		return d.size-before >= meaningful, err
	})
	if err == nil {
		err = d.verify()
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(path))
	}
	return digest(hex.EncodeToString(d.sha.Sum(nil))), nil
}

// attempt reads the rest of the object.
func (d *download) attempt(ctx context.Context) error {
	if !d.object.resumable && d.size > 0 {
		if err := d.restart(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(d.stall, func() { cancel(errStalled) })
	defer watchdog.Stop()
	err := d.read(ctx, watchdog)
	if errors.Is(context.Cause(ctx), errStalled) {
		return errStalled
	}
	if err == nil && d.object.size >= 0 && d.size < d.object.size {
		return errShort
	}
	return err
}

func (d *download) read(ctx context.Context, watchdog *time.Timer) error {
	body, err := d.object.open(ctx, d.size)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	buf := make([]byte, 256<<10)
	for {
		n, err := body.Read(buf)
		watchdog.Reset(d.stall)
		if n > 0 {
			if err := d.write(buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func (d *download) write(b []byte) error {
	if d.object.size >= 0 && d.size+int64(len(b)) > d.object.size {
		return permanent(d.object.label, changed)
	}
	if err := d.progress.add(int64(len(b))); err != nil {
		return err
	}
	if _, err := d.file.Write(b); err != nil {
		return err
	}
	d.sha.Write(b)
	d.crc.Write(b)
	d.size += int64(len(b))
	return nil
}

// restart forgets what was read.
func (d *download) restart() error {
	_ = d.progress.add(-d.size) // a smaller sum is never too large
	d.size = 0
	d.sha.Reset()
	d.crc.Reset()
	if err := d.file.Truncate(0); err != nil {
		return err
	}
	_, err := d.file.Seek(0, io.SeekStart)
	return err
}

// verify compares the content with the checksum its store keeps.
func (d *download) verify() error {
	want := fmt.Sprintf("%08x", d.object.crc32c)
	if got := hex.EncodeToString(d.crc.Sum(nil)); d.object.crc32c != 0 && got != want {
		return permanent(d.object.label, fmt.Sprintf("checksum mismatch: its store says crc32c %s, what arrived has %s", want, got))
	}
	return nil
}
