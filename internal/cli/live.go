// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/action"
)

// Names of the router's metrics.
const (
	metricRequests = "serin_router_requests_total"
	metricDuration = "serin_router_request_duration_seconds"
)

// scrapeTimeout bounds one reading of the metrics.
const scrapeTimeout = 2 * time.Second

// sample is what each router had counted of each revision at one time.
type sample struct {
	at      time.Time
	routers map[string]map[string]counts // by the URL of its metrics, and by revision
}

// total is what all routers had counted of a revision.
func (s sample) total(revision string) counts {
	var sum counts
	for _, counted := range s.routers {
		sum = sum.plus(counted[revision])
	}
	return sum
}

// counts are a revision's counters.
type counts struct {
	requests, errors float64 // errors are answers with a 5xx
	buckets          []bucket
}

// bucket says how many requests took at most so many seconds.
type bucket struct{ seconds, requests float64 }

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

// scrape reads the metrics of all routers, of the revisions of this namespace.
func (c *cluster) scrape(ctx context.Context) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	urls, client, err := c.findRouters(ctx)
	if err != nil {
		return sample{}, err
	}
	counted := make([]map[string]counts, len(urls))
	var reads errgroup.Group
	for i, url := range urls {
		reads.Go(func() (err error) {
			counted[i], err = c.read(ctx, client, url)
			return err
		})
	}
	if err := reads.Wait(); err != nil {
		return sample{}, fmt.Errorf("read the router's metrics: %w", err)
	}
	out := sample{at: time.Now(), routers: map[string]map[string]counts{}}
	for i, url := range urls {
		out.routers[url] = counted[i]
	}
	return out, nil
}

// findRouters returns the URLs of all routers' metrics, and what reaches them.
func (c *cluster) findRouters(ctx context.Context) ([]string, *http.Client, error) {
	if c.endpoints.Metrics != "" {
		return []string{strings.TrimRight(c.endpoints.Metrics, "/") + "/metrics"}, http.DefaultClient, nil
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
		p := &pods[i]
		if slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		}) {
			urls = append(urls, fmt.Sprintf("http://%s.%s:%d/metrics", p.Name, p.Namespace, v1beta1.RouterAdminPort))
		}
	}
	if len(urls) == 0 {
		return nil, nil, noRouter(c.routers)
	}
	return urls, c.pods, nil
}

// read reads what one router counted, by revision.
func (c *cluster) read(ctx context.Context, client *http.Client, url string) (map[string]counts, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, res.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	return count(families, c.namespace), nil
}

// count reads a namespace's counters off the metrics.
func count(families map[string]*dto.MetricFamily, namespace string) map[string]counts {
	out := map[string]counts{}
	each := func(name string, f func(*dto.Metric, string, *counts)) {
		for _, m := range families[name].GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["namespace"] == namespace {
				c := out[labels["revision"]]
				f(m, labels["code"], &c)
				out[labels["revision"]] = c
			}
		}
	}
	each(metricRequests, func(m *dto.Metric, code string, c *counts) {
		c.requests += m.GetCounter().GetValue()
		if code == "5xx" {
			c.errors += m.GetCounter().GetValue()
		}
	})
	each(metricDuration, func(m *dto.Metric, _ string, c *counts) {
		for _, b := range m.GetHistogram().GetBucket() {
			c.buckets = append(c.buckets, bucket{b.GetUpperBound(), float64(b.GetCumulativeCount())})
		}
	})
	return out
}

// rates compares two samples. What an old one lacks, or has more of because
// that router started anew, counts from zero.
func rates(old, now sample, revisions []action.Revision) map[string]rate {
	seconds := now.at.Sub(old.at).Seconds()
	if seconds <= 0 {
		return nil
	}
	out, total := map[string]rate{}, 0.0
	for _, rev := range revisions {
		var d counts
		known := false
		for router, counted := range now.routers {
			if after, ok := counted[rev.Name]; ok {
				d, known = d.plus(after.since(old.routers[router][rev.Name])), true
			}
		}
		if !known {
			continue
		}
		r := rate{PerSecond: d.requests / seconds, P95: d.quantile(.95)}
		if d.requests > 0 {
			r.Errors = d.errors / d.requests
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

// plus adds what another router counted, in the same buckets.
func (c counts) plus(other counts) counts {
	if c.buckets == nil {
		c.buckets = slices.Clone(other.buckets)
	} else {
		for i := range min(len(c.buckets), len(other.buckets)) {
			c.buckets[i].requests += other.buckets[i].requests
		}
	}
	c.requests += other.requests
	c.errors += other.errors
	return c
}

// since is what was counted since old.
func (c counts) since(old counts) counts {
	if old.requests > c.requests || len(old.buckets) != len(c.buckets) {
		return c
	}
	d := counts{requests: c.requests - old.requests, errors: c.errors - old.errors}
	for i, b := range c.buckets {
		d.buckets = append(d.buckets, bucket{b.seconds, b.requests - old.buckets[i].requests})
	}
	return d
}

// quantile is how long the share q of the requests took at most, taking the
// requests of a bucket as evenly spread in it.
func (c counts) quantile(q float64) time.Duration {
	if len(c.buckets) == 0 {
		return 0
	}
	want := q * c.buckets[len(c.buckets)-1].requests
	if want == 0 {
		return 0
	}
	var before bucket
	for _, b := range c.buckets {
		if b.requests < want {
			before = b
			continue
		}
		if math.IsInf(b.seconds, 1) {
			break // beyond the last bound is all that is known
		}
		within := (want - before.requests) / (b.requests - before.requests)
		return time.Duration((before.seconds + within*(b.seconds-before.seconds)) * float64(time.Second))
	}
	return time.Duration(before.seconds * float64(time.Second))
}

// evidence is what the requests of a service's current revision have shown.
func (s *service) evidence(ctx context.Context, r *action.Rollout) action.Evidence {
	if r.Current == nil {
		return action.Evidence{}
	}
	now, err := s.scrape(ctx)
	if err != nil {
		return action.Evidence{Why: err.Error()}
	}
	c := now.total(r.Current.Name)
	return action.Evidence{Known: true, Requests: int64(c.requests), Errors: int64(c.errors)}
}
