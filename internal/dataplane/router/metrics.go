// SPDX-License-Identifier: Apache-2.0

package router

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
	"github.com/serin-dev/serin/internal/dataplane/routing"
	"github.com/serin-dev/serin/internal/report"
)

// metrics are the router's Prometheus metrics.
type metrics struct {
	registry       *prometheus.Registry
	requests       *prometheus.CounterVec
	duration       *prometheus.HistogramVec
	refused        *prometheus.CounterVec
	refusedWaiters *prometheus.CounterVec

	mu    sync.Mutex
	known map[revisionKey]*counters
}

// revisionKey identifies a revision.
type revisionKey struct{ namespace, revision string }

// counters are the metrics of one revision, resolved before its requests.
type counters struct {
	classes  [6]prometheus.Counter // by the status code's first digit
	duration prometheus.Histogram
}

func newMetrics() *metrics {
	labels := []string{"namespace", "revision"}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "serin_router_requests_total",
			Help: "Requests answered, by revision and class of status code (2xx, 4xx ...). Clients that left count as 4xx.",
		}, append(labels, "code")),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "serin_router_request_duration_seconds",
			Help:    "Time from the arrival of a request, or of the first 16 KiB of its body, to the last byte of its answer, by revision.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300},
		}, labels),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "serin_router_refused_total",
			Help: "Requests that reached no revision, by status code.",
		}, []string{"code"}),
		refusedWaiters: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "serin_router_held_refused_total",
			Help: "Requests refused because too many waited, by namespace. Some waited already, and left for one of a namespace or service with fewer.",
		}, []string{"namespace"}),
		known: map[revisionKey]*counters{},
	}
	m.registry.MustRegister(m.requests, m.duration, m.refused, m.refusedWaiters)
	return m
}

// of returns the counters of a revision.
func (m *metrics) of(key revisionKey) *counters {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ofLocked(key)
}

func (m *metrics) ofLocked(key revisionKey) *counters {
	c := m.known[key]
	if c == nil {
		c = &counters{duration: m.duration.WithLabelValues(key.namespace, key.revision).(prometheus.Histogram)}
		for i := range c.classes {
			class := strconv.Itoa(i) + "xx"
			c.classes[i] = m.requests.WithLabelValues(key.namespace, key.revision, class)
		}
		m.known[key] = c
	}
	return c
}

// follow returns the counters of the table's revisions and deletes all others. If the
// revisions are those of before, it returns that.
func (m *metrics) follow(table *routing.Table, before map[revisionKey]*counters) map[revisionKey]*counters {
	n, same := 0, true
	for r := range table.Revisions {
		n++
		same = same && before[revisionKey{r.Namespace, r.Name}] != nil
	}
	if same && n == len(before) {
		return before
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	current, namespaces := map[revisionKey]*counters{}, map[string]bool{}
	for r := range table.Revisions {
		key := revisionKey{r.Namespace, r.Name}
		current[key], namespaces[key.namespace] = m.ofLocked(key), true
	}
	for key := range m.known {
		if current[key] == nil {
			delete(m.known, key)
			labels := prometheus.Labels{"namespace": key.namespace, "revision": key.revision}
			m.requests.DeletePartialMatch(labels)
			m.duration.Delete(labels)
			if !namespaces[key.namespace] {
				m.refusedWaiters.DeleteLabelValues(key.namespace)
			}
		}
	}
	return current
}

func (c *counters) count(status int, d time.Duration) {
	c.classes[min(max(status/100, 0), len(c.classes)-1)].Inc()
	c.duration.Observe(d.Seconds())
}

// answers reads the counters back for the report.
func (c *counters) answers() *report.Answers {
	var out report.Answers
	for class, counter := range c.classes {
		n := int64(read(counter).GetCounter().GetValue())
		out.Count += n
		if class == 5 {
			out.Errors = n
		}
	}
	for _, b := range read(c.duration).GetHistogram().GetBucket() {
		out.Durations = append(out.Durations, report.Bucket{Seconds: b.GetUpperBound(), Count: int64(b.GetCumulativeCount())})
	}
	return &out
}

// read returns the value of a metric. Only a metric of invalid labels has none.
func read(m prometheus.Metric) *dto.Metric {
	var out dto.Metric
	_ = m.Write(&out)
	return &out
}

func (m *metrics) refuse(status int) {
	m.refused.WithLabelValues(strconv.Itoa(status)).Inc()
}

func (m *metrics) refuseWaiter(namespace string) { m.refusedWaiters.WithLabelValues(namespace).Inc() }

// inFlight collects the gauges of the table and the wait queue.
type inFlight struct {
	router   *router
	requests *prometheus.Desc
	pods     *prometheus.Desc
	held     *prometheus.Desc
	broken   *prometheus.Desc
}

func newInFlight(r *router) *inFlight {
	labels := []string{"namespace", "revision"}
	return &inFlight{
		router:   r,
		requests: prometheus.NewDesc("serin_router_in_flight", "Requests at the Pods of a revision now.", labels, nil),
		pods:     prometheus.NewDesc("serin_router_ready_pods", "Pods that a revision's requests may go to.", labels, nil),
		held:     prometheus.NewDesc("serin_router_held", "Requests waiting for a ready Pod now.", nil, nil),
		broken:   prometheus.NewDesc("serin_router_broken_services", "InferenceServices that cannot be routed; the log says why. Other services are not affected.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *inFlight) Describe(out chan<- *prometheus.Desc) {
	out <- c.requests
	out <- c.pods
	out <- c.held
	out <- c.broken
}

// Collect implements prometheus.Collector.
func (c *inFlight) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	gauge(c.held, int64(c.router.queue.waiting()))
	v := c.router.view.Load()
	if v == nil {
		return
	}
	gauge(c.broken, int64(len(v.table.Broken())))
	for r := range v.table.Revisions {
		gauge(c.requests, r.InFlight(), r.Namespace, r.Name)
		gauge(c.pods, int64(r.Ready()), r.Namespace, r.Name)
	}
}

// connections collects the counts of the proxy.
type connections struct {
	counts                       func() proxy.ConnectionCounts
	open, limit, closed, refused *prometheus.Desc
}

func newConnections(counts func() proxy.ConnectionCounts) *connections {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("serin_router_connections"+name, help, nil, nil)
	}
	return &connections{
		counts:  counts,
		open:    desc("", "Client connections open now."),
		limit:   desc("_limit", "Client connections that may be open."),
		closed:  desc("_closed_total", "Client connections without a request that were closed to make room for new ones."),
		refused: desc("_refused_total", "Client connections refused because too many were open, or too many of the same client."),
	}
}

// Describe implements prometheus.Collector.
func (c *connections) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.open, c.limit, c.closed, c.refused} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *connections) Collect(out chan<- prometheus.Metric) {
	n := c.counts()
	out <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, float64(n.Open))
	out <- prometheus.MustNewConstMetric(c.limit, prometheus.GaugeValue, float64(n.Limit))
	out <- prometheus.MustNewConstMetric(c.closed, prometheus.CounterValue, float64(n.Closed))
	out <- prometheus.MustNewConstMetric(c.refused, prometheus.CounterValue, float64(n.Refused))
}
