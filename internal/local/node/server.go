// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// serve answers the API server on the paths of a kubelet, until ctx ended and every request did.
// Clients need a certificate that TLS.ClientCAs signed: exec can do anything that the node's user
// can.
func (n *node) serve(ctx context.Context) error {
	config := n.TLS.Clone()
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.NextProtos = []string{"http/1.1"} // streams are upgraded connections
	var requests sync.WaitGroup
	handler := n.handler()
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			defer requests.Done()
			handler.ServeHTTP(w, r)
		}),
		TLSConfig:         config,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(n.Log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: 10 * time.Second,
	}
	listener := &conns{Listener: n.Listener}
	stop := context.AfterFunc(ctx, func() {
		_ = server.Close()
		listener.closeAll()
	})
	defer stop()
	err := server.ServeTLS(listener, "", "")
	requests.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve the node's API: %w", err)
}

func (n *node) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	mux.HandleFunc("GET /pods", n.servePods)
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", n.serveLogs)
	for _, method := range []string{"GET ", "POST "} {
		mux.HandleFunc(method+"/exec/{namespace}/{pod}/{container}", n.serveExec)
		mux.HandleFunc(method+"/attach/{namespace}/{pod}/{container}", n.serveAttach)
		mux.HandleFunc(method+"/portForward/{namespace}/{pod}", n.servePortForward)
	}
	return mux
}

// servePods lists the Pods of the node, for debugging.
func (n *node) servePods(w http.ResponseWriter, _ *http.Request) {
	list := corev1.PodList{}
	list.APIVersion, list.Kind = "v1", "PodList"
	n.mu.Lock()
	for _, worker := range n.workers {
		list.Items = append(list.Items, *worker.latest.Load())
	}
	n.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list)
}

// serveLogs answers kubectl logs.
func (n *node) serveLogs(w http.ResponseWriter, r *http.Request) {
	o, limit, previous, err := parseLogQuery(r.URL.Query(), time.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	worker, ok := n.worker(r.PathValue("namespace"), r.PathValue("pod"))
	if !ok {
		http.Error(w, fmt.Sprintf("this node has no pod %q", r.PathValue("pod")), http.StatusNotFound)
		return
	}
	log, err := worker.logOf(r.PathValue("container"), previous)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	out := &logWriter{w: w, limit: limit, timestamps: o.timestamps}
	if o.follow {
		out.flush = http.NewResponseController(w).Flush
		_ = out.flush() // sends the headers: the client is connected
	}
	if err := log.copyTo(r.Context(), o, out.entry); err != nil && !errors.Is(err, errLimit) {
		n.Log.Debug("logs not sent", "err", err)
	}
}

// logOf finds the log of a container's latest process, or of the one before.
func (w *worker) logOf(name string, previous bool) (*logFile, error) {
	c, r, err := w.container(name)
	switch {
	case err != nil:
		return nil, err
	case previous && c.restarts > 0 && (r != nil || c.ended != nil):
		return closedLog(w.dir.log(name, c.restarts-1)), nil
	case previous && c.last != nil:
		return closedLog(w.dir.log(name, c.restarts)), nil
	case previous:
		return nil, fmt.Errorf("previous terminated container %q in pod %q not found", name, w.latest.Load().Name)
	case r != nil:
		return r.log, nil
	case c.ended != nil || c.last != nil:
		return closedLog(w.dir.log(name, c.restarts)), nil
	}
	why := c.waiting.Reason
	if why == "" {
		why = "ContainerCreating"
	}
	return nil, fmt.Errorf("container %q in pod %q is waiting to start: %s", name, w.latest.Load().Name, why)
}

// errLimit ends a log that has reached its limitBytes.
var errLimit = errors.New("limit reached")

// logWriter writes log entries as the client wants them.
type logWriter struct {
	w          http.ResponseWriter
	flush      func() error // nil without follow
	limit      int64        // bytes left; negative is no limit
	timestamps bool
	midLine    bool
}

func (l *logWriter) entry(e logEntry) error {
	text := e.text
	if l.timestamps && !l.midLine {
		text = append([]byte(e.at.Format(logTime)+" "), text...)
	}
	l.midLine = len(e.text) > 0 && e.text[len(e.text)-1] != '\n'
	if l.limit >= 0 && int64(len(text)) >= l.limit {
		_, _ = l.w.Write(text[:l.limit])
		return errLimit
	}
	if l.limit >= 0 {
		l.limit -= int64(len(text))
	}
	if _, err := l.w.Write(text); err != nil {
		return err
	}
	if l.flush != nil {
		return l.flush()
	}
	return nil
}

// parseLogQuery reads the options of kubectl logs as the API server passes them on.
func parseLogQuery(q url.Values, now time.Time) (o logOptions, limit int64, previous bool, err error) {
	number := func(name string) int64 {
		text := q.Get(name)
		if text == "" {
			return -1
		}
		n, parseErr := strconv.ParseInt(text, 10, 64)
		if parseErr != nil || n < 0 {
			err = fmt.Errorf("%s: %q is not a count", name, text)
		}
		return n
	}
	flag := func(name string) bool { return q.Get(name) == "true" }
	o = logOptions{follow: flag("follow"), timestamps: flag("timestamps"), tail: int(number("tailLines"))}
	if s := number("sinceSeconds"); s >= 0 {
		o.since = now.Add(-time.Duration(s) * time.Second)
	}
	if text := q.Get("sinceTime"); text != "" {
		if o.since, err = time.Parse(time.RFC3339, text); err != nil {
			return o, 0, false, fmt.Errorf("sinceTime: %w", err)
		}
	}
	switch stream := q.Get("stream"); stream {
	case "", corev1.LogStreamAll:
	case corev1.LogStreamStdout:
		o.stream = "stdout"
	case corev1.LogStreamStderr:
		o.stream = "stderr"
	default:
		err = fmt.Errorf("stream: %q is neither All, Stdout nor Stderr", stream)
	}
	return o, number("limitBytes"), flag("previous"), err
}
