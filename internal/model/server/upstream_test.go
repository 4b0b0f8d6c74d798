// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// expectation is what a test of KServe's repository expects of a model server, as a
// request for models that are here.
type expectation struct {
	exchange
	Of   string            `json:"of"`            // the file of the test
	Env  map[string]string `json:"env,omitempty"` // CE_SOURCE, CE_TYPE, CE_MERGE
	Want struct {
		Status  int               `json:"status"`
		Type    string            `json:"type"`
		Body    any               `json:"body"` // what an answer must hold: see holds
		Tail    string            `json:"tail"`
		Headers map[string]string `json:"headers"`
	} `json:"want"`
}

func expectations(t *testing.T) (list []expectation) {
	t.Helper()
	data, err := os.ReadFile("testdata/upstream.json")
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestUpstreamsExpectations(t *testing.T) {
	list, unmet := expectations(t), 0
	docs, err := os.ReadFile("../../../docs/reference/modelserver.md")
	if err != nil {
		t.Fatal(err)
	}
	plain, merging := ours(t), ours(t, func(c *Config) { c.Events.Merge = true })
	custom := ours(t, func(c *Config) {
		c.Events = Events{Source: "io.kserve.inference.CustomSource", Type: "io.kserve.custom_type"}
	})
	for _, e := range list {
		ask := plain
		switch {
		case e.Env["CE_MERGE"] != "":
			ask = merging
		case e.Env["CE_SOURCE"] != "":
			ask = custom
		}
		wrong := e.wrong(ask(t, e.exchange))
		switch {
		case wrong == nil && e.Why != "":
			t.Errorf("%s: is as upstream expects", e.Name)
		case wrong != nil && e.Why == "":
			t.Errorf("%s: %v", e.Name, wrong)
		case e.Why != "":
			unmet++
		}
		if !strings.Contains(string(docs), e.Why) {
			t.Errorf("%s: docs/reference/modelserver.md does not say that %s", e.Name, e.Why)
		}
	}
	if line := fmt.Sprintf("%d of %d", len(list)-unmet, len(list)); !strings.Contains(string(docs), line) {
		t.Errorf("docs/reference/modelserver.md does not say that %s expectations are met", line)
	}
}

// KServe's server shows that the expectations are upstream's.
func TestKServeMeetsUpstreamsExpectations(t *testing.T) {
	list := expectations(t)
	servers := map[string][]expectation{}
	for _, e := range list {
		key := e.Model
		for _, k := range slices.Sorted(maps.Keys(e.Env)) {
			key += " " + k + "=" + e.Env[k]
		}
		servers[key] = append(servers[key], e)
	}
	for key, group := range servers {
		t.Run(key, func(t *testing.T) {
			fields := strings.Fields(key)
			ask := theirs(t, fields[1:], fields[0])
			for _, e := range group {
				if strings.HasSuffix(e.Path, "load") {
					continue // of its repository, which our server of its models has not
				}
				if wrong := e.wrong(ask(t, e.exchange)); wrong != nil {
					t.Errorf("%s: %v", e.Name, wrong)
				}
			}
		})
	}
}

// wrong returns what an answer has that is not expected.
func (e *expectation) wrong(got reply) error {
	switch {
	case got.Status != e.Want.Status:
		return fmt.Errorf("status %d, want %d: %s", got.Status, e.Want.Status, got.Body)
	case e.Want.Type != "" && got.Type != e.Want.Type:
		return fmt.Errorf("type %s, want %s", got.Type, e.Want.Type)
	case e.Want.Tail != "" && got.Tail != e.Want.Tail:
		return fmt.Errorf("binary data %s, want %s", got.Tail, e.Want.Tail)
	}
	for k, want := range e.Want.Headers {
		if v := got.headers.Get(k); !e.holds(want, v) {
			return fmt.Errorf("header %s: %q, want %q", k, v, want)
		}
	}
	if e.Want.Body == nil {
		return nil
	}
	var body any
	if err := json.Unmarshal([]byte(got.Body), &body); err != nil {
		return err
	}
	if !e.holds(e.Want.Body, body) {
		return fmt.Errorf("%s, want %v", got.Body, e.Want.Body)
	}
	return nil
}

// holds reports whether an object has the wanted members, and they their values. The
// string "*" is any value, "!x" anything but x, and "^x" what begins with x. M stands
// for the model.
func (e *expectation) holds(want, got any) bool {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		for k, v := range want {
			member, has := object[k]
			ok = ok && has && e.holds(v, member)
		}
		return ok
	case []any:
		list, ok := got.([]any)
		return ok && slices.EqualFunc(want, list, e.holds)
	case string:
		text, _ := got.(string)
		rest, special := want, want[:min(1, len(want))]
		switch special {
		case "*":
			return got != nil && got != ""
		case "!":
			return text != "" && text != rest[1:]
		case "^":
			return strings.HasPrefix(text, rest[1:])
		}
		return got == e.named(want)
	}
	return want == got
}

func (e *expectation) named(want string) string {
	if want == "M" || strings.HasSuffix(want, ".M") {
		return strings.TrimSuffix(want, "M") + e.Model
	}
	return want
}
