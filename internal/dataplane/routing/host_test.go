// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"strings"
	"testing"

	"github.com/serin-dev/serin/api/v1beta1"
)

// iris is a canary in namespace kserve-test as the walk-through leaves it.
func iris() Service {
	return Service{Namespace: "kserve-test", Name: "sklearn-iris", Traffic: []Share{
		{Revision: "sklearn-iris-predictor-00003", Percent: 10, Tag: "latest"},
		{Revision: "sklearn-iris-predictor-00001", Percent: 90, Tag: "prev"},
	}}
}

func TestHostsOfServices(t *testing.T) {
	table := Build(Input{Domain: "Example.com", Services: []Service{iris()}})
	for host, tag := range map[string]string{
		"sklearn-iris.kserve-test.example.com":                        "",
		"SKLEARN-iris.kserve-test.EXAMPLE.com":                        "",
		"sklearn-iris.kserve-test.example.com:8080":                   "",
		"sklearn-iris.kserve-test.example.com.":                       "",
		"sklearn-iris.kserve-test.example.com.:80":                    "",
		"sklearn-iris-predictor.kserve-test.example.com":              "",
		"sklearn-iris-predictor-.kserve-test.example.com":             "",
		"sklearn-iris-predictor-default.kserve-test.example.com":      "",
		"latest-sklearn-iris-predictor.kserve-test.example.com":       "latest",
		"latest-sklearn-iris-predictor-.kserve-test.example.com":      "latest",
		"prev-sklearn-iris-predictor-default.kserve-test.example.com": "prev",
		"sklearn-iris.kserve-test":                                    "",
		"sklearn-iris.kserve-test.svc":                                "",
		"sklearn-iris.kserve-test.svc.cluster.local":                  "",
		"sklearn-iris-predictor.kserve-test":                          "",
		"sklearn-iris-predictor.kserve-test.svc.cluster.local:80":     "",
		"prev-sklearn-iris-predictor.kserve-test.svc.cluster.local":   "prev",
		"sklearn-iris.kserve-test.localhost:8080":                     "",
		"prev-sklearn-iris-predictor.kserve-test.localhost":           "prev",
	} {
		if r, got := table.match(host, false); r == nil || r.service.Name != "sklearn-iris" || got != tag {
			t.Errorf("%s names %+v with tag %q, want tag %q", host, r, got, tag)
		}
	}
}

func TestUnknownHosts(t *testing.T) {
	table := Build(Input{Domain: "example.com", Services: []Service{iris()}})
	for _, host := range []string{
		"", ".", ":", ":80", "localhost", "127.0.0.1:8080", "[::1]:8080", "example.com",
		"sklearn-iris", "sklearn-iris.example.com", "sklearn-iris.other.example.com",
		"sklearn-iris.kserve-test.example.org", "sklearn-iris.kserve-testexample.com",
		"sklearn-iris-.kserve-test.example.com", "sklearn-irisdefault.kserve-test.example.com",
		"sklearn-iris-predictordefault.kserve-test.example.com",
		"canary-sklearn-iris-predictor.kserve-test.example.com",
		"latest-sklearn-iris.kserve-test.example.com",
		".kserve-test.example.com", "a.sklearn-iris.kserve-test.example.com",
	} {
		if r, tag := table.match(host, false); r != nil {
			t.Errorf("%q names %s with tag %q", host, r.service.Name, tag)
		}
	}
}

func TestShortenedHostOfTag(t *testing.T) {
	long := strings.Repeat("long-", 10) + "name" // 54 characters
	s := Service{Namespace: "n", Name: long, Traffic: []Share{{Revision: "r", Percent: 100, Tag: "prev"}}}
	table := Build(Input{Domain: "example.com", Services: []Service{s}})
	if r, tag := table.match(v1beta1.Predictor.Host("prev", long)+".n.example.com", false); r == nil || tag != "prev" {
		t.Errorf("the shortened tag host names %v %q", r, tag)
	}
}

func FuzzHost(f *testing.F) {
	table := Build(Input{Domain: "example.com", Services: []Service{iris()}})
	for _, host := range []string{"sklearn-iris.kserve-test.example.com:80", "prev-sklearn-iris-predictor-.kserve-test.svc", "[::1]:80", "..", "a.b:c:d"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		r, tag := table.match(host, false)
		if lower, lowerTag := table.match(strings.ToLower(host), false); r != lower || tag != lowerTag {
			t.Errorf("%q depends on its case", host)
		}
		if r == nil {
			return
		}
		if !strings.Contains(strings.ToLower(host), "sklearn-iris") || !strings.Contains(strings.ToLower(host), ".kserve-test") {
			t.Errorf("%q names %s", host, r.service.Name)
		}
	})
}
