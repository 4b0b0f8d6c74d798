// SPDX-License-Identifier: Apache-2.0

// Package storage puts a stored model into a directory, whole or not at all.
//
// It is the body of the init container storage-initializer. It reads local files, Google Cloud
// Storage, S3 and plain HTTP servers; it never writes to a source, never runs what it fetched, and
// never asks a metadata service on a machine that has none, so that it starts in milliseconds.
//
// Data flows one way:
//
//	source.list -> objects -> cache.get (download on a miss) -> a hidden folder in the target -> rename
//
// Only the last step changes what the model server sees. The next run removes the folders of a
// killed one. A digest of the files is made on the way, and a run that is told one delivers no other
// model. Every error that the package returns is one line for the user.
package storage

import (
	"cmp"
	"context"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

// Config is the configuration of a run.
type Config struct {
	Models   []Model
	CacheDir string    // holds downloads shared by all runs; empty means no cache
	Scope    string    // a namespace: what its runs have fetched, others of it get by the digest alone
	MaxSize  int64     // bytes that a model may hold, as stored and as unpacked; 0 means DefaultMaxSize
	Want     Want      // the one model in Models, if a digest is known
	Whole    bool      // each Dest is for its model alone: all else that lies there is removed
	Log      io.Writer // gets plain lines of progress
}

// DefaultMaxSize is large enough for most models and too small to fill most disks.
const DefaultMaxSize = 100 << 30

// Model is one thing to fetch.
type Model struct {
	Source string // a URI or an absolute path
	Dest   string // the folder to fill; made when missing
}

// parallel is how many objects of a model are in flight at once: enough to hide round trips, few
// enough to keep the memory of an init container small.
const parallel = 8

// Run fetches the models in order, and returns their digests or the first failure: an *Error, or the
// error of ctx.
func Run(ctx context.Context, cfg Config) (digests []string, err error) {
	return (&fetcher{log: cfg.Log, backoff: defaultBackoff}).run(ctx, cfg)
}

type fetcher struct {
	log     io.Writer
	most    int64 // see Config.MaxSize
	want    Want
	whole   bool
	cache   *cache // nil means none
	backoff backoff
}

func (f *fetcher) run(ctx context.Context, cfg Config) ([]string, error) {
	f.most, f.want, f.whole = cmp.Or(cfg.MaxSize, DefaultMaxSize), cfg.Want, cfg.Whole
	sources := make([]source, len(cfg.Models))
	for i, m := range cfg.Models {
		s, err := parse(m.Source)
		if err != nil {
			return nil, err
		}
		sources[i] = s
	}
	if cfg.CacheDir != "" {
		c, err := openCache(ctx, cfg.CacheDir)
		if err != nil {
			return nil, explain("the cache "+cfg.CacheDir, err)
		}
		defer c.close()
		c.scope = cfg.Scope
		f.cache = c
	}
	digests := make([]string, len(cfg.Models))
	for i, m := range cfg.Models {
		var err error
		if digests[i], err = f.model(ctx, sources[i], m.Dest); err != nil {
			return nil, explain(sources[i].String(), err)
		}
	}
	return digests, nil
}

// model fetches one model into the folder dest, and returns its digest.
func (f *fetcher) model(ctx context.Context, src source, dest string) (string, error) {
	start := time.Now()
	say(f.log, "fetching %s to %s", src, dest)
	t, err := openTarget(ctx, dest, f.whole)
	if err != nil {
		return "", explain(dest, err)
	}
	defer t.close()
	got, p, err := f.wanted(ctx, src, t)
	if err != nil {
		return "", err
	}
	if err := t.commit(); err != nil {
		return "", explain(dest, err)
	}
	p.summary(time.Since(start))
	return got, nil
}

// list returns the files of the model that src has now.
func (f *fetcher) list(ctx context.Context, src source) (objects []object, err error) {
	err = f.retry(ctx, src.String(), func() (_ bool, err error) {
		ctx, cancel := context.WithTimeout(ctx, f.backoff.stall)
		defer cancel()
		objects, err = src.list(ctx)
		return false, err
	})
	return objects, err
}

// stage puts a model into the hidden folder of the target, and returns its digest.
func (f *fetcher) stage(ctx context.Context, src source, objects []object, t *target) (string, *progress, error) {
	p := newProgress(f.log, src.String(), objects, f.most)
	defer p.stop()
	if p.total > f.most {
		return "", nil, permanent(src.String(), tooLarge(f.most).Error())
	}
	if err := f.files(ctx, objects, t.staged, p); err != nil {
		return "", nil, err
	}
	files := contents(objects)
	if packed(objects) != noArchive {
		var err error
		if files, err = unpackStaged(ctx, t.staged, objects[0], f.most); err != nil {
			return "", nil, err
		}
	}
	got := modelDigest(files)
	if f.cache == nil {
		return got, p, nil
	}
	return got, p, f.cache.keep(got, objects)
}

// files puts every object into the folder dir, and notes its size and digest.
func (f *fetcher) files(ctx context.Context, objects []object, dir string, p *progress) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i := range objects {
		g.Go(func() error {
			o := &objects[i]
			to := filepath.Join(dir, filepath.FromSlash(o.name))
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				return err
			}
			sum, err := f.file(ctx, *o, to, p)
			if err != nil {
				return err
			}
			info, err := os.Stat(to)
			if err != nil {
				return err
			}
			o.sum, o.size = sum, info.Size()
			return nil
		})
	}
	return g.Wait()
}

// file puts one object at the path to, from the cache where possible, and returns its digest.
func (f *fetcher) file(ctx context.Context, o object, to string, p *progress) (digest, error) {
	if f.cache == nil {
		return f.download(ctx, o, to, p)
	}
	sum, hit, err := f.cache.get(ctx, o, func(tmp string) (digest, error) {
		return f.download(ctx, o, tmp, p)
	})
	if err != nil {
		return "", err
	}
	blob := f.cache.blob(sum)
	if hit {
		if err := p.cached(blob); err != nil {
			return "", err
		}
	}
	return sum, linkOrCopy(blob, to)
}

// unpackStaged replaces the one staged archive by its content, and returns what that is.
func unpackStaged(ctx context.Context, staged string, o object, most int64) ([]content, error) {
	from := filepath.Join(staged, filepath.FromSlash(o.name))
	// The archive is moved away first, because it may hold a file of its own name.
	aside := filepath.Join(filepath.Dir(staged), "archive")
	if err := os.Rename(from, aside); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(staged); err != nil { // an archive may have been in a folder
		return nil, err
	}
	if err := os.Mkdir(staged, 0o755); err != nil {
		return nil, err
	}
	files, err := unpack(ctx, aside, o.archive, staged, most)
	if err != nil {
		return nil, archiveError(o, err)
	}
	return files, nil
}
