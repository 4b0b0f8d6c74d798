// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/action"
	"github.com/serin-dev/serin/internal/setting"
)

// document is a rollout in JSON. Its fields are an interface: they stay.
type document struct {
	Namespace          string `json:"namespace"`
	Name               string `json:"name"`
	URL                string `json:"url,omitempty"`
	Generation         int64  `json:"generation"`
	ObservedGeneration int64  `json:"observedGeneration"`
	// Outcome is settled, progressing or failed.
	Outcome action.Outcome `json:"outcome"`
	// Next says in a sentence what happens next, and why.
	Next                 string               `json:"next"`
	CanaryTrafficPercent *int64               `json:"canaryTrafficPercent,omitempty"`
	Failure              *v1beta1.FailureInfo `json:"failure,omitempty"`
	Revisions            []revisionReport     `json:"revisions"` // newest first
}

type revisionReport struct {
	Name   string `json:"name"`
	Number int    `json:"number"`
	// State is current, starting, canary, rolled back, rolled out, previous or absent.
	State          action.State   `json:"state,omitempty"`
	TrafficPercent *int64         `json:"trafficPercent,omitempty"`
	PodsReady      int32          `json:"podsReady"`
	PodsWanted     int32          `json:"podsWanted"`
	Model          string         `json:"model,omitempty"`
	ModelDigest    string         `json:"modelDigest,omitempty"`
	Runtime        string         `json:"runtime,omitempty"`
	Created        time.Time      `json:"created"`
	Spec           map[string]any `json:"spec,omitempty"` // of history only
}

func documentOf(r *action.Rollout, spec bool) document {
	o := r.Outlook()
	out := document{
		Namespace:            r.Service.Namespace,
		Name:                 r.Service.Name,
		URL:                  r.Service.Status.URL,
		Generation:           r.Service.Generation,
		ObservedGeneration:   r.Service.Status.ObservedGeneration,
		Outcome:              o.Outcome,
		Next:                 o.Next,
		CanaryTrafficPercent: r.Service.Spec.Predictor.CanaryTrafficPercent,
		Revisions:            []revisionReport{},
	}
	if m := r.Service.Status.ModelStatus; m != nil {
		out.Failure = m.LastFailureInfo
	}
	for _, rev := range slices.Backward(r.Revisions) {
		one := revisionReport{
			Name: rev.Name, Number: rev.Number, State: rev.State, TrafficPercent: rev.Share,
			PodsReady: rev.Ready, PodsWanted: rev.Wanted, Model: rev.Model, ModelDigest: rev.Digest, Runtime: rev.Runtime, Created: rev.Created.UTC(),
		}
		if spec {
			one.Spec = rev.Spec
		}
		out.Revisions = append(out.Revisions, one)
	}
	return out
}

// Formats of output.
const (
	formatJSON = "json"
	formatYAML = "yaml"
	formatWide = "wide"
)

// addFormat adds -o with the formats that a command knows.
func addFormat(c *cobra.Command, format *string, known ...string) {
	c.Flags().VarP(setting.OneOf(format, "", known...), "output", "o", "format: "+strings.Join(known, ", "))
	must(c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(known, cobra.ShellCompDirectiveNoFileComp)))
}

// must panics on what only a bug of ours can cause.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// write prints a value as JSON or YAML.
func write(out io.Writer, format string, v any) error {
	if format == formatYAML {
		b, err := yaml.Marshal(v)
		if err == nil {
			_, err = out.Write(b)
		}
		return err
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// column is one that not every table has.
type column struct {
	head string
	of   func(action.Revision) string
}

var (
	digestColumn  = column{"DIGEST", func(rev action.Revision) string { return v1beta1.ShortModelDigest(rev.Digest) }}
	runtimeColumn = column{"RUNTIME", func(rev action.Revision) string { return rev.Runtime }}
)

// table prints the revisions, newest first, with the columns that all tables have
// and further ones, the last of them only if it is wide.
func table(out io.Writer, revisions []action.Revision, now time.Time, wide bool, further ...column) {
	w := tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)
	if wide {
		further = append(further, runtimeColumn)
	}
	fmt.Fprint(w, "REVISION\tSTATE\tTRAFFIC\tPODS\tAGE\tMODEL")
	for _, c := range further {
		fmt.Fprint(w, "\t", c.head)
	}
	fmt.Fprintln(w)
	for _, rev := range slices.Backward(revisions) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d/%d\t%s\t%s",
			rev.Name, dash(string(rev.State)), percent(rev.Share), rev.Ready, rev.Wanted, age(rev.Created, now), dash(plain(rev.Model)))
		for _, c := range further {
			fmt.Fprint(w, "\t", dash(c.of(rev)))
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
}

func percent(p *int64) string {
	if p == nil {
		return "-"
	}
	return fmt.Sprintf("%d%%", *p)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// plain makes one line of what a user wrote, without codes that a terminal obeys.
// A storageUri of the greatest length is shown whole.
func plain(s string) string {
	const most = 2300
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		quoted := strconv.Quote(s)
		s = quoted[1 : len(quoted)-1]
	}
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

func age(t, now time.Time) string { return duration.HumanDuration(now.Sub(t)) }

// eventLines are events as people read them, oldest first.
func eventLines(events []corev1.Event, now time.Time) []string {
	var out []string
	for _, e := range events {
		mark := " "
		if e.Type == corev1.EventTypeWarning {
			mark = "!"
		}
		out = append(out, fmt.Sprintf("%s %6s  %s: %s", mark, age(when(e), now), plain(e.Reason), plain(e.Message)))
	}
	return out
}
