// SPDX-License-Identifier: Apache-2.0

package router

import (
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
	"github.com/serin-dev/serin/internal/dataplane/routing"
	"github.com/serin-dev/serin/internal/report"
)

// metrics are the router's Prometheus metrics, but for what is counted elsewhere.
type metrics struct {
	registry       *prometheus.Registry
	refused        *prometheus.CounterVec
	refusedWaiters *prometheus.CounterVec
	refusedIn      sync.Map // the namespaces that refusedWaiters has
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "serin_router_refused_total",
			Help: "Requests that reached no revision, by status code.",
		}, []string{"code"}),
		refusedWaiters: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "serin_router_held_refused_total",
			Help: "Requests refused because too many waited, by namespace. Some waited already, and left for one of a namespace or service with fewer.",
		}, []string{"namespace"}),
	}
	m.registry.MustRegister(m.refused, m.refusedWaiters)
	return m
}

func (m *metrics) refuse(status int) {
	m.refused.WithLabelValues(strconv.Itoa(status)).Inc()
}

func (m *metrics) refuseWaiter(namespace string) {
	m.refusedIn.Store(namespace, nil)
	m.refusedWaiters.WithLabelValues(namespace).Inc()
}

// keep deletes what is known of all namespaces but these.
func (m *metrics) keep(namespaces map[string]bool) {
	for namespace := range m.refusedIn.Range {
		if name, ok := namespace.(string); ok && !namespaces[name] {
			m.refusedIn.Delete(name)
			m.refusedWaiters.DeleteLabelValues(name)
		}
	}
}

// revisions collects the numbers of the table's revisions and of the wait queue. They
// are kept with the revisions, as numbers, and become metrics only when they are read.
type revisions struct {
	router                                           *router
	requests, duration, inFlight, pods, held, broken *prometheus.Desc
}

func newRevisions(r *router) *revisions {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("serin_router_"+name, help, labels, nil)
	}
	return &revisions{
		router:   r,
		requests: desc("requests_total", "Requests answered, by revision and class of status code (2xx, 4xx ...). Clients that left count as 4xx, and a gRPC call as the HTTP status that its status stands for.", "namespace", "revision", "code"),
		duration: desc("request_duration_seconds", "Time from the arrival of a request, or of the first 16 KiB of its body, to the last byte of its answer, by revision.", "namespace", "revision"),
		inFlight: desc("in_flight", "Requests at the Pods of a revision now.", "namespace", "revision"),
		pods:     desc("ready_pods", "Pods that a revision's requests may go to.", "namespace", "revision"),
		held:     desc("held", "Requests waiting for a ready Pod now."),
		broken:   desc("broken_services", "InferenceServices that cannot be routed; the log says why. Other services are not affected."),
	}
}

// Describe implements prometheus.Collector.
func (c *revisions) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.requests, c.duration, c.inFlight, c.pods, c.held, c.broken} {
		out <- d
	}
}

// Collect implements prometheus.Collector. The durations of a revision without answers
// are left out: they would be most of what a router with thousands of revisions reports.
func (c *revisions) Collect(out chan<- prometheus.Metric) {
	out <- &sample{c.held, nil, prometheus.GaugeValue, float64(c.router.queue.waiting())}
	v := c.router.view.Load()
	if v == nil {
		return
	}
	out <- &sample{c.broken, nil, prometheus.GaugeValue, float64(len(v.table.Broken()))}
	namespaces := map[string]bool{}
	for namespace := range v.table.Namespaces {
		namespaces[namespace] = true
	}
	for r := range v.table.Revisions {
		namespaces[r.Namespace] = true
		labels := []*dto.LabelPair{pair("namespace", r.Namespace), pair("revision", r.Name)}
		out <- &sample{c.inFlight, labels, prometheus.GaugeValue, float64(r.InFlight())}
		out <- &sample{c.pods, labels, prometheus.GaugeValue, float64(r.Ready())}
		answers := r.Stats.Answers.Counted()
		for class, n := range answers.Classes {
			out <- &sample{c.requests, append([]*dto.LabelPair{classes[class]}, labels...), prometheus.CounterValue, float64(n)}
		}
		if answers.Count > 0 {
			buckets := make(map[float64]uint64, len(answers.Durations))
			for i, n := range answers.Durations {
				buckets[routing.Durations[i]] = n
			}
			out <- prometheus.MustNewConstHistogram(c.duration, answers.Count, answers.Seconds, buckets, r.Namespace, r.Name)
		}
	}
	c.router.metrics.keep(namespaces)
}

// sample is a metric of one revision, or of none. Those of a revision share its labels:
// prometheus.MustNewConstMetric would take three times the memory for each of them.
type sample struct {
	desc   *prometheus.Desc
	labels []*dto.LabelPair // by name
	kind   prometheus.ValueType
	value  float64
}

func pair(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

// classes are the labels of status codes by their first digit.
var classes = [...]*dto.LabelPair{
	pair("code", "0xx"), pair("code", "1xx"), pair("code", "2xx"), pair("code", "3xx"), pair("code", "4xx"), pair("code", "5xx"),
}

// Desc implements prometheus.Metric.
func (s *sample) Desc() *prometheus.Desc { return s.desc }

// Write implements prometheus.Metric.
func (s *sample) Write(out *dto.Metric) error {
	out.Label = s.labels
	if s.kind == prometheus.CounterValue {
		out.Counter = &dto.Counter{Value: &s.value}
	} else {
		out.Gauge = &dto.Gauge{Value: &s.value}
	}
	return nil
}

// answersOf returns the answers of a revision for the report.
func answersOf(r *routing.Revision) *report.Answers {
	c := r.Stats.Answers.Counted()
	out := &report.Answers{Count: int64(c.Count), Errors: int64(c.Classes[5])}
	for i, n := range c.Durations {
		out.Durations = append(out.Durations, report.Bucket{Seconds: routing.Durations[i], Count: int64(n)})
	}
	return out
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
