// SPDX-License-Identifier: Apache-2.0

package render

import (
	"errors"
	"strings"
	"text/template"
	"text/template/parse"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// maxExpanded bounds what one container's templates may grow to, because an
// annotation of 256 KiB can be named many times.
const maxExpanded = 1 << 20

var errTooLong = errors.New("the result is longer than 1 MiB")

// expand replaces {{.Name}}, {{.Labels.x}} and the like in every string of
// the container by the service's metadata.
//
// It differs from KServe in three ways, all of which turn silent surprises
// into errors or into the expected result. Each string is expanded by itself,
// not the container's JSON, so that a quote in an annotation cannot add
// fields. A missing label is an error, not the text "<no value>". And only
// fields may be named: a template is a placeholder here, not a program that
// could loop in the controller.
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
		return x.text(v)
	case []any:
		for i := range v {
			v[i] = x.value(v[i])
		}
	case map[string]any:
		for _, k := range sortedKeys(v) {
			v[k] = x.value(v[k])
		}
	}
	return v
}

func (x *expander) text(s string) string {
	if x.err != nil || !strings.Contains(s, "{{") {
		return s
	}
	x.at = s
	t, err := template.New("").Option("missingkey=error").Parse(s)
	if err != nil {
		x.err = plainError(err)
		return s
	}
	if x.err = onlyFields(t); x.err != nil {
		return s
	}
	out := &limited{room: x.room}
	// ObjectMeta by value: its setters have pointer receivers and are out of
	// reach for a template.
	if err := t.Execute(out, x.meta); err != nil {
		x.err = plainError(err)
		return s
	}
	x.room = out.room
	return out.String()
}

// onlyFields refuses everything but text and fields such as .Labels.team.
func onlyFields(t *template.Template) error {
	refused := errors.New(`only fields of the service's metadata can be named, such as {{.Name}} or {{index .Labels "team"}}`)
	if len(t.Templates()) > 1 {
		return refused
	}
	if t.Tree == nil {
		return nil // nothing but {{define}} of nothing, or comments
	}
	for _, n := range t.Root.Nodes {
		switch n := n.(type) {
		case *parse.TextNode, *parse.CommentNode:
		case *parse.ActionNode:
			if len(n.Pipe.Decl) > 0 || len(n.Pipe.Cmds) != 1 || !isField(n.Pipe.Cmds[0].Args) {
				return refused
			}
		default:
			return refused
		}
	}
	return nil
}

// isField reports whether a command is .Field.field or index .Field "key".
func isField(args []parse.Node) bool {
	if len(args) == 1 {
		_, ok := args[0].(*parse.FieldNode)
		return ok
	}
	if len(args) != 3 {
		return false
	}
	f, ok := args[0].(*parse.IdentifierNode)
	_, field := args[1].(*parse.FieldNode)
	_, key := args[2].(*parse.StringNode)
	return ok && f.Ident == "index" && field && key
}

// limited is a buffer that refuses to grow beyond its room.
type limited struct {
	strings.Builder
	room int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.room -= len(p); l.room < 0 {
		return 0, errTooLong
	}
	return l.Builder.Write(p)
}

// plainError drops the position in a template that the message quotes whole.
func plainError(err error) error {
	s := strings.TrimPrefix(err.Error(), "template: ")
	for range 2 {
		if before, after, ok := strings.Cut(s, ":"); ok && strings.Trim(before, "0123456789") == "" {
			s = strings.TrimSpace(after)
		}
	}
	return errors.New(s)
}
