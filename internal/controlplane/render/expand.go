// SPDX-License-Identifier: Apache-2.0

package render

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// maxExpanded bounds what one container's templates may grow to, because an
// annotation of 256 KiB can be named many times.
const maxExpanded = 1 << 20

var (
	errTooLong = errors.New("the result is longer than 1 MiB")
	errRefused = errors.New("only .Name, .Namespace, .Labels and .Annotations of the service can be named, " +
		`as in {{.Name}}, {{.Labels.team}} or {{index .Annotations "example.com/team"}}`)
)

// expand replaces {{.Name}}, {{.Labels.team}} and the like in every string of
// the container by the service's metadata.
//
// The syntax is that of text/template, as in KServe, but a template is a
// placeholder here and not a program, which could loop or grow in the
// controller. Two surprises are errors or gone: a missing label does not
// become the text "<no value>", and a quote in an annotation cannot add
// fields, because strings are expanded one by one and not in the JSON.
func expand(c *corev1.Container, meta metav1.ObjectMeta) error {
	var tree any
	mustRoundTrip(c, &tree)
	x := expander{meta: meta, room: maxExpanded}
	tree = x.value(tree)
	if x.err != nil {
		return invalidf(v1beta1.InvalidPredictorSpec, "expand %q: %v", x.at, x.err)
	}
	*c = corev1.Container{}
	mustRoundTrip(tree, c)
	return nil
}

// expander walks a container's JSON and stops at the first error.
type expander struct {
	meta metav1.ObjectMeta
	room int
	at   string // the string that err speaks of
	err  error
}

func (x *expander) value(v any) any {
	switch v := v.(type) {
	case string:
		if x.err != nil || !strings.Contains(v, "{{") {
			return v
		}
		x.at = v
		var out string
		out, x.err = x.text(v)
		return out
	case []any:
		for i := range v {
			v[i] = x.value(v[i])
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			v[k] = x.value(v[k])
		}
	}
	return v
}

// text expands one string.
func (x *expander) text(s string) (string, error) {
	t := parse.New("")
	t.Mode = parse.SkipFuncCheck // functions are refused below
	defined := map[string]*parse.Tree{}
	if _, err := t.Parse(s, "", "", defined); err != nil {
		return "", errors.New(strings.TrimPrefix(err.Error(), "template: :1: "))
	}
	var out strings.Builder
	for _, n := range t.Root.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			out.Write(n.Text)
		case *parse.ActionNode:
			path, ok := field(n)
			if !ok {
				return "", errRefused
			}
			v, err := x.lookup(path)
			if err != nil {
				return "", err
			}
			if x.room -= len(v); x.room < 0 {
				return "", errTooLong
			}
			out.WriteString(v)
		default:
			return "", errRefused
		}
	}
	return out.String(), nil
}

// field returns the path in .A.b or index .A "b".
func field(n *parse.ActionNode) (path []string, ok bool) {
	if len(n.Pipe.Decl) > 0 || len(n.Pipe.Cmds) != 1 {
		return nil, false
	}
	args := n.Pipe.Cmds[0].Args
	switch len(args) {
	case 1:
		if f, ok := args[0].(*parse.FieldNode); ok {
			return f.Ident, true
		}
	case 3:
		index, ok1 := args[0].(*parse.IdentifierNode)
		f, ok2 := args[1].(*parse.FieldNode)
		key, ok3 := args[2].(*parse.StringNode)
		if ok1 && ok2 && ok3 && index.Ident == "index" && len(f.Ident) == 1 {
			return []string{f.Ident[0], key.Text}, true
		}
	}
	return nil, false
}

func (x *expander) lookup(path []string) (string, error) {
	switch {
	case len(path) == 1 && path[0] == "Name":
		return x.meta.Name, nil
	case len(path) == 1 && path[0] == "Namespace":
		return x.meta.Namespace, nil
	case len(path) == 2 && path[0] == "Labels":
		return entry("label", x.meta.Labels, path[1])
	case len(path) == 2 && path[0] == "Annotations":
		return entry("annotation", x.meta.Annotations, path[1])
	}
	return "", errRefused
}

func entry(kind string, m map[string]string, key string) (string, error) {
	v, ok := m[key]
	switch {
	case ok:
		return v, nil
	case key == labelModelClass || key == labelServiceEnvelope || key == annotationModelFormat:
		return "", fmt.Errorf("the service has no %s %s: write it, or give the runtime the annotation %s with its server, such as mlserver",
			kind, strconv.Quote(key), annotationServerType)
	}
	return "", fmt.Errorf("the service has no %s %s", kind, strconv.Quote(key))
}
