// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"

	"github.com/serin-dev/serin/api/v1beta1"
)

const (
	demoPath = "/v1/models/" + demoService + ":predict"
	// demoAnswer is that of both models to iris-input.json.
	demoAnswer = `{"predictions":[1,1]}`
)

// answer is the answer to a request.
type answer struct{ status, body, revision string }

// ask sends iris-input.json to a host of the service. A tag, if not empty, selects
// a revision.
func (d *demo) ask(ctx context.Context, label, tag string) (answer, error) {
	body, err := demoFiles.ReadFile("demo/iris-input.json")
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+d.router.String()+demoPath, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Host = demoHost(label)
	req.Header.Set("Content-Type", "application/json")
	if tag != "" {
		req.Header.Set(v1beta1.HeaderTag, tag)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(res.Body)
	return answer{res.Status, strings.TrimSpace(string(out)), res.Header.Get("Serin-Revision")}, err
}

func demoHost(label string) string { return label + "." + demoNamespace + "." + demoDomain }

// curl requests a prediction, and checks it and the revision that made it.
func (d *demo) curl(ctx context.Context, label, revision string) error {
	d.command("curl -H \"Host: %s\" -H \"Content-Type: application/json\" \\\n"+
		"    http://${INGRESS_HOST}:${INGRESS_PORT}%s -d @./iris-input.json", demoHost(label), demoPath)
	a, err := d.ask(ctx, label, "")
	if err != nil {
		return err
	}
	fmt.Fprintln(d.out, a.body)
	if a.body != demoAnswer {
		return fmt.Errorf("the model answered %s %s, not %s", a.status, a.body, demoAnswer)
	}
	if a.revision != revision {
		return fmt.Errorf("revision %s answered, not %s", a.revision, revision)
	}
	fmt.Fprintf(d.out, "  (Both are versicolor, says revision %s.)\n", a.revision)
	return nil
}

// count sends n requests, shows how many each revision answered, and checks it.
func (d *demo) count(ctx context.Context, n int, want map[string]int) error {
	d.say(fmt.Sprintf("%d requests, by the revision that answered:", n))
	got := map[string]int{}
	for range n {
		a, err := d.ask(ctx, demoService, "")
		if err != nil {
			return err
		}
		if a.body != demoAnswer {
			return fmt.Errorf("a request was answered %s %s, not %s", a.status, a.body, demoAnswer)
		}
		got[a.revision]++
	}
	fmt.Fprint(d.out, bars(got))
	if !maps.Equal(got, want) {
		return fmt.Errorf("of %d requests the revisions answered %v, not %v", n, got, want)
	}
	return nil
}
