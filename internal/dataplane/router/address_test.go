// SPDX-License-Identifier: Apache-2.0

package router

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/api/v1beta1"
)

func TestServiceIsReachedByPath(t *testing.T) {
	w := newWorld(t)
	says := func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, r.RequestURI) }
	w.pod(one, true, says)
	w.pod(two, true, says)
	w.service(target(two, 0, "latest"), target(one, 100, "prev"))
	eventually(t, "the service answers", func() (string, bool) {
		status, revision := w.ask()
		return fmt.Sprint(status, revision), status == 200
	})
	for _, c := range []struct{ host, path, tag, want string }{
		{w.addr, "/serving/kserve-test/sklearn-iris/v1/models/sklearn-iris:predict?x=%2F", "", one + " /v1/models/sklearn-iris:predict?x=%2F"},
		{"example.com", "/serving/kserve-test/sklearn-iris", "latest", two + " /"},
		{irisHost, "/serving/kserve-test/other", "", one + " /serving/kserve-test/other"},
	} {
		_, h, body := w.get("http://"+w.addr+c.path, c.host, "Knative-Serving-Tag", c.tag)
		if diff := cmp.Diff(c.want, h.Get("Serin-Revision")+" "+body); diff != "" {
			t.Errorf("%s%s: %s", c.host, c.path, diff)
		}
	}
}

func TestRequestsOfUserStickToRevision(t *testing.T) {
	w := newWorld(t)
	w.annotations = map[string]string{v1beta1.AnnotationSticky: "header:X-User"}
	w.pod(one, true, ok)
	w.pod(two, true, ok)
	w.service(target(two, 50, ""), target(one, 50, ""))
	eventually(t, "the service answers", func() (string, bool) {
		status, revision := w.ask()
		return fmt.Sprint(status, revision), status == 200
	})
	users := map[string]int{}
	for i := range 40 {
		user := fmt.Sprint("user-", i)
		_, first := w.ask("X-User", user)
		users[first]++
		for range 3 {
			if _, revision := w.ask("X-User", user); revision != first {
				t.Errorf("%s came to %s and to %s", user, first, revision)
			}
		}
	}
	if users[one] < 5 || users[two] < 5 {
		t.Errorf("the users are spread as %v", users)
	}
}

func TestMalformedStickyAnnotationIsLoggedOnce(t *testing.T) {
	w := newWorld(t)
	warnings := func() int { return strings.Count(w.log.String(), "the split alone decides") }
	w.pod(one, true, ok)
	for i, c := range []struct {
		annotation string
		warnings   int
	}{
		{"X-User", 1}, {"X-User", 1}, {"query:x", 2}, {"header:X-User", 2}, {"query:x", 3},
	} {
		w.annotations = map[string]string{v1beta1.AnnotationSticky: c.annotation}
		w.service(target(one, 100, fmt.Sprint("tag", i)))
		eventually(t, "the service is known", func() (string, bool) {
			status, _ := w.ask("Knative-Serving-Tag", fmt.Sprint("tag", i))
			return fmt.Sprint(status), status == 200
		})
		eventually(t, fmt.Sprint("there are warnings: ", c.warnings), func() (string, bool) {
			return w.log.String(), warnings() == c.warnings
		})
	}
	if want := `write \"header:NAME\" or`; !strings.Contains(w.log.String(), want) {
		t.Errorf("the log has no %s: %s", want, w.log.String())
	}
}
