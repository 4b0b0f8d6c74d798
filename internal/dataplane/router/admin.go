// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/serin-dev/serin/internal/dataplane/connlimit"
	"github.com/serin-dev/serin/internal/report"
)

// maxAdmin bounds the connections of the admin listener.
const maxAdmin = 64

// administer serves the admin listener until ctx ends. The router is ready from its
// first table until serving ends.
func (r *router) administer(ctx, serving context.Context) error {
	if r.Admin == nil {
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(prometheus.Gatherers{r.metrics.registry, process()}, promhttp.HandlerOpts{}))
	mux.HandleFunc(report.Pattern, r.report)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		switch {
		case serving.Err() != nil:
			http.Error(w, "stopping", http.StatusServiceUnavailable)
		case r.view.Load() == nil:
			http.Error(w, "waiting for the API server", http.StatusServiceUnavailable)
		default:
			fmt.Fprintln(w, "ok")
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(r.Log.Handler(), slog.LevelDebug)}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(connlimit.Listen(r.Admin, min(maxAdmin, r.server.Connections.Most))); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics on %s: %w", r.Admin.Addr(), err)
	}
	return nil
}

// process returns what every Go program can say about itself: memory, CPU and
// garbage collection.
func process() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
