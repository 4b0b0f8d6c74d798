// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Want says which model must be delivered, whatever lies at its source by now.
type Want struct {
	Digest            string // as Run returns it; empty means any
	Revision, Service string // that the model is for; for messages
}

// ErrOtherModel is the cause of an Error if the model does not have the digest of the Want.
var ErrOtherModel = errors.New("not the model of the digest")

// mismatch is the error of a model with another digest than the wanted one.
func (w Want) mismatch(src source, got string) *Error {
	return &Error{
		Subject: fmt.Sprintf("the model at %s is not the one that revision %s was made of", src, w.Revision),
		Reason:  fmt.Sprintf("it has digest %s now, and had %s; `serin rollout refresh %s` makes a new revision of it", got, w.Digest, w.Service),
		Cause:   ErrOtherModel,
	}
}

// wanted stages the wanted model: from the cache, or else from the source if that still has it. If any
// is wanted, it stages what the source has.
func (f *fetcher) wanted(ctx context.Context, src source, t *target) (string, *progress, error) {
	want := f.want.Digest
	if want != "" && f.cache != nil {
		got, p, err := f.kept(ctx, src, t)
		switch {
		case err == nil && got == want:
			return got, p, nil
		case err == nil:
			say(f.log, "the cached model is not used: it has digest %s", got)
		case !errors.Is(err, fs.ErrNotExist):
			say(f.log, "the cached model is not used: %v", err)
		}
		if err := t.empty(); err != nil {
			return "", nil, err
		}
	}
	objects, err := f.list(ctx, src)
	if err != nil {
		return "", nil, err
	}
	versions := versionsOf(objects)
	if got := t.refused(want, versions); got != "" {
		return "", nil, f.want.mismatch(src, got)
	}
	got, p, err := f.stage(ctx, src, objects, t)
	if err == nil && want != "" && got != want {
		return "", nil, errors.Join(f.want.mismatch(src, got), t.refuse(want, versions, got))
	}
	return got, p, err
}

// kept stages what the cache holds for the wanted digest.
func (f *fetcher) kept(ctx context.Context, src source, t *target) (string, *progress, error) {
	objects, err := f.cache.kept(f.want.Digest, src.String())
	if err != nil {
		return "", nil, err
	}
	return f.stage(ctx, src, objects, t)
}

// note is a file of the target in which a run leaves the digest of a model that it refused. Kubernetes
// starts the init container again and again, and the model need not be fetched each time.
const note = ".serin-refused"

// versionsOf returns a hash of the versions of all objects, or nothing if one has none.
func versionsOf(objects []object) string {
	h := sha256.New()
	for _, o := range objects {
		if o.version == "" {
			return ""
		}
		fmt.Fprintln(h, cacheKey(o))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// refuse notes that these versions of the objects have the digest got.
func (t *target) refuse(want, versions, got string) error {
	return os.WriteFile(filepath.Join(t.dir.Name(), note), fmt.Appendf(nil, "%s %s %s", want, versions, got), 0o600)
}

// refused returns the digest of these versions of the objects if an earlier run refused them.
func (t *target) refused(want, versions string) string {
	b, _ := os.ReadFile(filepath.Join(t.dir.Name(), note))
	got, ok := strings.CutPrefix(string(b), want+" "+versions+" ")
	if versions == "" || !ok || got == want || !ValidDigest(got) {
		return ""
	}
	return got
}
