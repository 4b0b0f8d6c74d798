// SPDX-License-Identifier: Apache-2.0

package render

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/serin-dev/serin/api/v1alpha1"
	"github.com/serin-dev/serin/api/v1beta1"
)

// protocols from the most to the least preferred.
var protocols = []string{"v1", "v2", "grpc-v1", "grpc-v2"}

// candidate is a runtime of either scope.
type candidate struct {
	name    string
	inspace bool   // a ServingRuntime of the service's namespace
	server  string // which of KServe's servers it runs
	created int64
	spec    v1alpha1.ServingRuntimeSpec
}

func (c candidate) namespaced() string {
	if c.inspace {
		return c.name
	}
	return ""
}

func (c candidate) cluster() string {
	if c.inspace {
		return ""
	}
	return c.name
}

// Served returns why no runtime would be chosen for a service, an *Invalid, or
// nil. A predictor of its own containers needs none.
func Served(isvc *v1beta1.InferenceService, runtimes []v1alpha1.ServingRuntime, cluster []v1alpha1.ClusterServingRuntime) error {
	m := isvc.Spec.Predictor.ModelOrLegacy()
	if m == nil {
		return nil
	}
	_, err := choose(isvc, m, runtimes, cluster)
	return err
}

// choose finds the runtime for a model: the named one, or else the first by
// scope, priority, protocol, age and name among those that select themselves
// for the format.
func choose(isvc *v1beta1.InferenceService, m *v1beta1.ModelSpec, runtimes []v1alpha1.ServingRuntime, cluster []v1alpha1.ClusterServingRuntime) (candidate, error) {
	var namespaced, global []candidate
	for _, r := range runtimes {
		if r.Namespace == isvc.Namespace {
			namespaced = append(namespaced, candidate{r.Name, true, serverType(r.Name, r.Annotations), r.CreationTimestamp.UnixNano(), r.Spec})
		}
	}
	for _, r := range cluster {
		global = append(global, candidate{r.Name, false, serverType(r.Name, r.Annotations), r.CreationTimestamp.UnixNano(), r.Spec})
	}
	if m.Runtime != nil {
		return named(*m.Runtime, isvc.Namespace, m, slices.Concat(namespaced, global))
	}
	fits := func(c candidate) bool {
		return !yes(c.spec.Disabled) && !yes(c.spec.MultiModel) && speaks(c, protocol(m)) && offers(c, m.ModelFormat, true)
	}
	for _, scope := range [][]candidate{namespaced, global} {
		scope = slices.DeleteFunc(slices.Clone(scope), func(c candidate) bool { return !fits(c) })
		if len(scope) > 0 {
			return slices.MinFunc(scope, func(a, b candidate) int { return order(a, b, m.ModelFormat.Name) }), nil
		}
	}
	return candidate{}, invalidf(v1beta1.NoSupportingRuntime,
		"no runtime selects itself for model format %s with protocol %s: name one in predictor.model.runtime, or install one; formats offered: %s",
		formatName(m.ModelFormat), protocol(m), offered(slices.Concat(namespaced, global)))
}

// named checks the runtime that the user asked for.
func named(name, namespace string, m *v1beta1.ModelSpec, all []candidate) (candidate, error) {
	i := slices.IndexFunc(all, func(c candidate) bool { return c.name == name })
	if i < 0 {
		return candidate{}, invalidf(v1beta1.RuntimeNotRecognized,
			"no ServingRuntime %s in namespace %s and no ClusterServingRuntime of that name: there are %s", name, namespace, names(all))
	}
	c := all[i]
	switch {
	case yes(c.spec.Disabled):
		return candidate{}, invalidf(v1beta1.RuntimeDisabled, "runtime %s is disabled", name)
	case yes(c.spec.MultiModel):
		return candidate{}, invalidf(v1beta1.RuntimeNotRecognized, "runtime %s is a multi-model runtime, which Serin does not run", name)
	case m.ProtocolVersion != nil && !speaks(c, *m.ProtocolVersion):
		return candidate{}, invalidf(v1beta1.NoSupportingRuntime,
			"runtime %s does not speak protocol %s: it speaks %s", name, *m.ProtocolVersion, strings.Join(c.spec.ProtocolVersions, ", "))
	case !offers(c, m.ModelFormat, false):
		return candidate{}, invalidf(v1beta1.NoSupportingRuntime,
			"runtime %s does not serve model format %s: it serves %s", name, formatName(m.ModelFormat), formats(c, false))
	}
	return c, nil
}

// order sorts the preferred runtime first. A priority counts before the
// protocol, because KServe sorts by it last and stably.
func order(a, b candidate, format string) int {
	return cmp.Or(
		cmp.Compare(priority(b, format), priority(a, format)),
		cmp.Compare(rank(a), rank(b)),
		cmp.Compare(b.created, a.created),
		cmp.Compare(a.name, b.name),
	)
}

// priority is that of the first entry of the format's name, whatever its
// version; without one a runtime comes last.
func priority(c candidate, format string) int32 {
	for _, f := range c.spec.SupportedModelFormats {
		if f.Name == format {
			if f.Priority != nil {
				return *f.Priority
			}
			break
		}
	}
	return math.MinInt32
}

// rank is the place of a runtime's most preferred protocol.
func rank(c candidate) int {
	for i, p := range protocols {
		if slices.Contains(c.spec.ProtocolVersions, p) {
			return i
		}
	}
	return len(protocols)
}

// offers reports whether the runtime serves the format. Versions are compared
// as whole strings: 1.3 is not 1. A format without a version matches any.
func offers(c candidate, want v1beta1.ModelFormat, auto bool) bool {
	return slices.ContainsFunc(c.spec.SupportedModelFormats, func(f v1alpha1.SupportedModelFormat) bool {
		return f.Name == want.Name && (!auto || yes(f.AutoSelect)) &&
			(want.Version == nil || f.Version != nil && *f.Version == *want.Version)
	})
}

func speaks(c candidate, protocol string) bool {
	return len(c.spec.ProtocolVersions) == 0 || slices.Contains(c.spec.ProtocolVersions, protocol)
}

// protocol is the one that the user asked for, or v1, or v2 for a format of
// Triton's own.
func protocol(m *v1beta1.ModelSpec) string {
	switch {
	case m.ProtocolVersion != nil:
		return *m.ProtocolVersion
	case m.ModelFormat.Name == formatTriton:
		return "v2"
	}
	return protocols[0]
}

func yes(b *bool) bool { return b != nil && *b }

func formatName(f v1beta1.ModelFormat) string {
	if f.Version == nil {
		return f.Name
	}
	return f.Name + " version " + *f.Version
}

// names, formats and offered are lists for messages: sorted, "none" if empty.
func names(all []candidate) string {
	var out []string
	for _, c := range all {
		out = append(out, c.name)
	}
	return list(out)
}

func formats(c candidate, auto bool) string {
	var out []string
	for _, f := range c.spec.SupportedModelFormats {
		if !auto || yes(f.AutoSelect) {
			out = append(out, formatName(v1beta1.ModelFormat{Name: f.Name, Version: f.Version}))
		}
	}
	return list(out)
}

func offered(all []candidate) string {
	var out []string
	for _, c := range all {
		if yes(c.spec.Disabled) {
			continue
		}
		for _, f := range c.spec.SupportedModelFormats {
			if yes(f.AutoSelect) {
				out = append(out, formatName(v1beta1.ModelFormat{Name: f.Name, Version: f.Version}))
			}
		}
	}
	return list(out)
}

func list(s []string) string {
	if len(s) == 0 {
		return "none"
	}
	slices.Sort(s)
	return strings.Join(slices.Compact(s), ", ")
}
