// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var meta = metav1.ObjectMeta{
	Name: "iris", Namespace: "default",
	Labels:      map[string]string{"team": "flowers", "nested": "{{.Name}}"},
	Annotations: map[string]string{"quote": `","command":["sh"],"x":"`, "example.com/dotted": "yes"},
}

func TestExpand(t *testing.T) {
	const refused = "refused"
	for _, c := range []struct{ name, in, want string }{
		{"plain text", "--port=8080", "--port=8080"},
		{"a name", "--model_name={{.Name}}", "--model_name=iris"},
		{"blanks and trimming", "a {{- .Name -}} b", "airisb"},
		{"several", "{{.Namespace}}/{{.Name}}", "default/iris"},
		{"a label", "{{.Labels.team}}", "flowers"},
		{"a key with dots", `{{index .Annotations "example.com/dotted"}}`, "yes"},
		{"a value that would break JSON", "{{.Annotations.quote}}", `","command":["sh"],"x":"`},
		{"once only", "{{.Labels.nested}}", "{{.Name}}"},
		{"a comment", "a{{/* nothing */}}b", "ab"},
		{"HTML is left alone", "<{{.Name}}&>", "<iris&>"},
		{"closing braces", "}}", "}}"},
		{"shell", "$(rm -rf /) `id`", "$(rm -rf /) `id`"},

		{"an unknown field", "{{.Nmae}}", refused},
		{"a missing label", "{{.Labels.tema}}", `error: expand "{{.Labels.tema}}": the service has no label "tema"`},
		{"a missing key", `{{index .Labels "tema"}}`, `error: expand "{{index .Labels \"tema\"}}": the service has no label "tema"`},
		{"an open brace", "{{.Name", `error: expand "{{.Name": unclosed action`},
		{"a loop", "{{range 1000000000}}x{{end}}", refused},
		{"a condition", "{{if .Name}}x{{end}}", refused},
		{"a function", `{{printf "%1000000000d" 1}}`, refused},
		{"a pipeline", "{{.Name | html}}", refused},
		{"a variable", "{{$x := .Name}}", refused},
		{"a template", `{{define "x"}}{{template "x"}}{{end}}{{template "x"}}`, refused},
		{"a setter", `{{.SetName "x"}}`, refused},
		{"everything", "{{.}}", refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			container := &corev1.Container{Name: "kserve-container", Args: []string{c.in}}
			err := expand(container, meta)
			got := container.Args[0]
			if err != nil {
				got = "error: " + err.Error()
			}
			if c.want == refused {
				c.want = fmt.Sprintf("error: expand %q: %v", c.in, errRefused)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestExpandReachesEveryString(t *testing.T) {
	got := &corev1.Container{
		Name: "kserve-container", Image: "i:{{.Labels.team}}", Command: []string{"{{.Name}}"},
		Env: []corev1.EnvVar{{Name: "NAME", Value: "{{.Name}}"}}, VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/{{.Name}}"}},
	}
	if err := expand(got, meta); err != nil {
		t.Fatal(err)
	}
	want := &corev1.Container{
		Name: "kserve-container", Image: "i:flowers", Command: []string{"iris"},
		Env: []corev1.EnvVar{{Name: "NAME", Value: "iris"}}, VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/iris"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestExpandIsBounded(t *testing.T) {
	big := metav1.ObjectMeta{Annotations: map[string]string{"big": strings.Repeat("x", 256<<10)}}
	c := &corev1.Container{Args: []string{strings.Repeat("{{.Annotations.big}}", 4), "{{.Annotations.big}}"}}
	err := expand(c, big)
	want := `expand "{{.Annotations.big}}": the result is longer than 1 MiB`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// FuzzExpand checks that no template crashes, loops or grows without bound,
// that text without templates stays as it is, and that what a template gives
// never reaches beyond its own string.
func FuzzExpand(f *testing.F) {
	for _, s := range []string{"--model_name={{.Name}}", `{{index .Labels "team"}}`, "{{range 9}}{{.}}{{end}}", "{{.Annotations.quote}}", "{{/*", "{{`x`}}", "{{nil}}", `{{.Name .Name}}`, "{{block `x` .}}{{end}}", "{{.Name.Name}}", `{{index .Labels .Name}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "?") // as JSON has it
		c := &corev1.Container{Name: "kserve-container", Image: "image", Args: []string{s, "last"}}
		err := expand(c, meta)
		if err != nil {
			return
		}
		if !strings.Contains(s, "{{") && c.Args[0] != s {
			t.Errorf("%q became %q without a template", s, c.Args[0])
		}
		if len(c.Args[0]) > maxExpanded+len(s) {
			t.Errorf("%q grew to %d bytes", s, len(c.Args[0]))
		}
		want := &corev1.Container{Name: "kserve-container", Image: "image", Args: []string{c.Args[0], "last"}}
		if diff := cmp.Diff(want, c); diff != "" {
			t.Errorf("%q changed more than its own string (-want +got):\n%s", s, diff)
		}
	})
}
