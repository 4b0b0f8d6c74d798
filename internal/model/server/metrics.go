// SPDX-License-Identifier: Apache-2.0

package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"
)

// buckets are those of Prometheus's Python client, which KServe's dashboards expect.
var buckets = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

type metrics struct {
	preprocess, predict, postprocess prometheus.Observer
	handler                          fasthttp.RequestHandler
}

// newMetrics registers the histograms of KServe's server. That of explain is
// registered for its dashboards, and never observed.
func newMetrics(model string) *metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	histogram := func(name, help string) prometheus.Observer {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{"model_name"})
		registry.MustRegister(h)
		return h.WithLabelValues(model)
	}
	histogram("request_explain_seconds", "Explaining, which this server does not do.")
	return &metrics{
		preprocess:  histogram("request_preprocess_seconds", "Reading the request."),
		predict:     histogram("request_predict_seconds", "Predicting."),
		postprocess: histogram("request_postprocess_seconds", "Writing the response."),
		handler:     fasthttpadaptor.NewFastHTTPHandler(promhttp.HandlerFor(registry, promhttp.HandlerOpts{})),
	}
}

// stopwatch measures the stages of a request, one after the other.
type stopwatch struct{ last time.Time }

// lap observes the time since the last one.
func (w *stopwatch) lap(stage prometheus.Observer) {
	now := time.Now()
	stage.Observe(now.Sub(w.last).Seconds())
	w.last = now
}
