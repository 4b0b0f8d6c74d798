// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/action"
	"github.com/serin-dev/serin/internal/report"
)

// readTimeout bounds one reading of all routers.
const readTimeout = 2 * time.Second

// sample is what each router had answered for each revision at one time.
type sample struct {
	at      time.Time
	routers map[string]map[string]report.Answers // by the URL of its admin listener, and by revision
}

// total is what all routers had answered for a revision.
func (s sample) total(revision string) report.Answers {
	var sum report.Answers
	for _, answered := range s.routers {
		sum = plus(sum, answered[revision])
	}
	return sum
}

// rate is what a revision did between two samples.
type rate struct {
	PerSecond float64
	Errors    float64 // share of the requests, 0 to 1
	P95       time.Duration
	Share     float64 // of the service's requests, 0 to 1
}

// noRouter says why there are no live numbers.
func noRouter(namespace string) error {
	return fmt.Errorf("no router found: namespace %s has no ready Pod of %s (choose another with --router-namespace), and the kubeconfig is not that of 'serin up'",
		namespace, v1beta1.RouterName)
}

// sample reads what all routers have answered for the revisions of this namespace.
func (c *cluster) sample(ctx context.Context) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	urls, client, err := c.findRouters(ctx)
	if err != nil {
		return sample{}, err
	}
	answered := make([]map[string]report.Answers, len(urls))
	var reads errgroup.Group
	for i, url := range urls {
		reads.Go(func() (err error) {
			answered[i], err = report.Read(ctx, client, url, c.namespace)
			return err
		})
	}
	if err := reads.Wait(); err != nil {
		return sample{}, fmt.Errorf("read the router's report: %w", err)
	}
	out := sample{at: time.Now(), routers: map[string]map[string]report.Answers{}}
	for i, url := range urls {
		out.routers[url] = answered[i]
	}
	return out, nil
}

// findRouters returns the URLs of the routers' admin listeners, and a client that
// reaches them.
func (c *cluster) findRouters(ctx context.Context) ([]string, *http.Client, error) {
	if c.endpoints.Metrics != "" {
		return []string{strings.TrimRight(c.endpoints.Metrics, "/")}, http.DefaultClient, nil
	}
	if c.client == nil {
		return nil, nil, noRouter(c.routers)
	}
	var pods []corev1.Pod
	if err := list(ctx, c.client, c.routers, corev1.SchemeGroupVersion.WithResource("pods"), metav1.ListOptions{LabelSelector: v1beta1.LabelPartName + "=" + v1beta1.RouterName}, &pods); err != nil {
		return nil, nil, fmt.Errorf("find the routers: %w", err)
	}
	var urls []string
	for i := range pods {
		if p := &pods[i]; v1beta1.PodReady(p) != nil {
			urls = append(urls, fmt.Sprintf("http://%s.%s:%d", p.Name, p.Namespace, v1beta1.RouterAdminPort))
		}
	}
	if len(urls) == 0 {
		return nil, nil, noRouter(c.routers)
	}
	return urls, c.pods, nil
}

// rates compares two samples. A router that is new, or has counted less than
// before because it started again, counts from zero.
func rates(before, after sample, revisions []action.Revision) map[string]rate {
	seconds := after.at.Sub(before.at).Seconds()
	if seconds <= 0 {
		return nil
	}
	out, total := map[string]rate{}, 0.0
	for _, rev := range revisions {
		var d report.Answers
		known := false
		for router, answered := range after.routers {
			if a, ok := answered[rev.Name]; ok {
				d, known = plus(d, since(before.routers[router][rev.Name], a)), true
			}
		}
		if !known {
			continue
		}
		r := rate{PerSecond: float64(d.Count) / seconds, P95: quantile(d, .95)}
		if d.Count > 0 {
			r.Errors = float64(d.Errors) / float64(d.Count)
		}
		out[rev.Name] = r
		total += r.PerSecond
	}
	for name, r := range out {
		if total > 0 {
			r.Share = r.PerSecond / total
			out[name] = r
		}
	}
	return out
}

// plus adds the answers of two routers, which have the same buckets.
func plus(a, b report.Answers) report.Answers {
	sum := report.Answers{Count: a.Count + b.Count, Errors: a.Errors + b.Errors, Durations: slices.Clone(a.Durations)}
	if sum.Durations == nil {
		sum.Durations = slices.Clone(b.Durations)
		return sum
	}
	for i := range min(len(sum.Durations), len(b.Durations)) {
		sum.Durations[i].Count += b.Durations[i].Count
	}
	return sum
}

// since returns what a router answered between two samples.
func since(before, after report.Answers) report.Answers {
	if before.Count > after.Count || len(before.Durations) != len(after.Durations) {
		return after
	}
	d := report.Answers{Count: after.Count - before.Count, Errors: after.Errors - before.Errors}
	for i, b := range after.Durations {
		d.Durations = append(d.Durations, report.Bucket{Seconds: b.Seconds, Count: b.Count - before.Durations[i].Count})
	}
	return d
}

// quantile returns how long the share q of the requests took at most. Within a
// bucket requests count as evenly spread; beyond the last bound, that bound is
// all that is known.
func quantile(a report.Answers, q float64) time.Duration {
	if a.Count == 0 {
		return 0
	}
	want := q * float64(a.Count)
	var before report.Bucket
	for _, b := range a.Durations {
		if float64(b.Count) >= want {
			within := (want - float64(before.Count)) / float64(b.Count-before.Count)
			return time.Duration((before.Seconds + within*(b.Seconds-before.Seconds)) * float64(time.Second))
		}
		before = b
	}
	return time.Duration(before.Seconds * float64(time.Second))
}

// evidence is what the requests of a service's current revision have shown.
func (s *service) evidence(ctx context.Context, r *action.Rollout) action.Evidence {
	if r.Current == nil {
		return action.Evidence{}
	}
	answered, err := s.sample(ctx)
	if err != nil {
		return action.Evidence{Why: err.Error()}
	}
	a := answered.total(r.Current.Name)
	return action.Evidence{Known: true, Requests: a.Count, Errors: a.Errors}
}
