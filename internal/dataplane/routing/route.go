// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Request is the part of a request that decides its route.
type Request struct {
	Host   string
	Path   string                   // as sent, query included
	Inside bool                     // it arrived from inside the cluster
	Header func(name string) string // returns a header's first value
}

// Choice is the service and revision of a request.
type Choice struct {
	Service  *Service
	Revision *Revision
	Path     string // replaces the request's path, which names the service; empty: keep it
}

// Refusal is an error that the client can act on.
type Refusal struct {
	Status int // 404: the name is unknown; 503: the service has no revision yet
	Text   string
}

func (r *Refusal) Error() string { return r.Text }

// Route chooses the revision of a request. A tag in the header asks for one revision
// and overrides a tag in the host. Without a tag, a version in the path decides, if it is
// a revision; then the key of a sticky service, and without a key the draw of the split.
// Every error is a *Refusal. If the service has no traffic, the Choice still has the
// service.
//
// Route draws for a request, not for an attempt: a request that is sent to another Pod,
// or that waited, keeps its Choice (see Rebind).
func (t *Table) Route(req Request) (Choice, error) {
	r, tag, path, err := t.find(req)
	if err != nil {
		return Choice{}, err
	}
	if asked := req.Header(v1beta1.HeaderTag); asked != "" {
		tag = asked
	}
	if tag != "" {
		if revision := r.tagged(tag); revision != nil {
			return Choice{&r.service, revision, path}, nil
		}
		return Choice{}, r.unknownTag(tag)
	}
	if revision := r.version(cmp.Or(path, req.Path)); revision != nil {
		return Choice{&r.service, revision, path}, nil
	}
	if r.split.empty() {
		why := "has no ready revision yet"
		if r.service.Broken != "" {
			why = "cannot be routed: the router's log says why"
		}
		return Choice{Service: &r.service}, &Refusal{Status: 503, Text: fmt.Sprintf("InferenceService %s/%s %s", r.service.Namespace, r.service.Name, why)}
	}
	if k := key(r.service.Sticky, req); k != "" {
		return Choice{&r.service, rendezvous(r.candidates, k), path}, nil
	}
	return Choice{&r.service, r.revisions[r.split.next()], path}, nil
}

// find returns the route and the tag of a request's host or, if the host has none, of
// its path, with the rest of the path. For requests from outside, a private service does
// not exist.
func (t *Table) find(req Request) (r *route, tag, path string, err error) {
	if r, tag := t.match(req.Host, req.Inside); r != nil {
		return r, tag, "", nil
	}
	namespace, service, rest, ok := splitPath(req.Path)
	if !ok {
		return nil, "", "", t.unknownHost(req.Host)
	}
	if r, tag = t.owner(namespace, service, req.Inside); r == nil {
		return nil, "", "", &Refusal{Status: 404, Text: fmt.Sprintf(
			"no InferenceService %s/%s, which the path asks for, nor any for host %q", namespace, service, req.Host)}
	}
	return r, tag, rest, nil
}

// owner returns the route and the tag that have a name, or nil.
func (t *Table) owner(namespace, label string, inside bool) (*route, string) {
	o := t.hosts.Find(namespace, label)
	if o == nil || o.Value.service.Private && !inside {
		return nil, ""
	}
	return o.Value, o.Tag
}

// Rebind returns the Choice of this table for one of an earlier table, so that a
// request that waited keeps its revision. It reports false if the revision has no
// traffic entry any more.
func (t *Table) Rebind(c Choice) (Choice, bool) {
	revision := t.Revision(c.Revision.Namespace, c.Revision.Name)
	if revision == nil || len(revision.services) == 0 {
		return Choice{}, false
	}
	r, _ := t.routes.Get(Name{revision.Namespace, revision.services[0]})
	return Choice{&r.service, revision, c.Path}, true
}

// tagged returns the revision of a tag, or nil.
func (r *route) tagged(tag string) *Revision {
	for i := range r.service.Traffic {
		if r.service.Traffic[i].Tag == tag {
			return r.revisions[i]
		}
	}
	return nil
}

// version returns the revision that is the version in a path of the Open Inference
// Protocol, or nil: model servers have versions of their own.
func (r *route) version(path string) *Revision {
	version := versionOf(path)
	if version == "" {
		return nil
	}
	for i := range r.service.Traffic {
		if r.service.Traffic[i].Revision == version {
			return r.revisions[i]
		}
	}
	return nil
}

func (r *route) unknownTag(tag string) error {
	var tags []string
	for _, share := range r.service.Traffic {
		if share.Tag != "" {
			tags = append(tags, share.Tag)
		}
	}
	has := "none"
	if len(tags) > 0 {
		slices.Sort(tags)
		has = strings.Join(slices.Compact(tags), ", ")
	}
	return &Refusal{Status: 404, Text: fmt.Sprintf(
		"InferenceService %s/%s has no traffic tag %q (its tags: %s)", r.service.Namespace, r.service.Name, tag, has)}
}

func (t *Table) unknownHost(host string) error {
	return &Refusal{Status: 404, Text: fmt.Sprintf(
		"no InferenceService for host %q: hosts look like NAME.NAMESPACE.%s or NAME-predictor.NAMESPACE.%s, or on any other host the path like %sNAMESPACE/NAME/...", host, t.domain, t.domain, pathPrefix)}
}
