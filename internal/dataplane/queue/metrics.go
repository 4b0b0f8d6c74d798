// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the queue's Prometheus metrics.
type metrics struct {
	registry *prometheus.Registry
	classes  [6]prometheus.Counter // by the status code's first digit
}

func newMetrics(l *limit) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "serin_queue_requests_total",
		Help: "Requests answered, by class of status code (2xx, 4xx ...). Clients that left count as 4xx, and a gRPC call as the HTTP status that its status stands for.",
	}, []string{"code"})
	for i := range m.classes {
		m.classes[i] = requests.WithLabelValues(strconv.Itoa(i) + "xx")
	}
	gauge := func(name, help string, value func() int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(value()) })
	}
	m.registry.MustRegister(requests,
		gauge("serin_queue_in_flight", "Requests at the model server now.", l.running.Load),
		gauge("serin_queue_waiting", "Requests waiting for their turn now.", l.waiting.Load),
		gauge("serin_queue_concurrency_limit", "Requests that may be at the model server at once; 0 means any number.",
			func() int64 { return int64(l.slots) }),
	)
	return m
}

func (m *metrics) count(status int) {
	m.classes[min(max(status/100, 0), len(m.classes)-1)].Inc()
}
