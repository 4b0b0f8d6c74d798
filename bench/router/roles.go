// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/serin-dev/serin/internal/dataplane/queue"
	"github.com/serin-dev/serin/internal/dataplane/router"
	"github.com/serin-dev/serin/internal/dataplane/routing"
)

// A copy of this program plays each of our own parts, and makes the load.
const (
	roleVariable     = "SERIN_BENCH_ROLE"
	addrVariable     = "SERIN_BENCH_ADDR"
	nextVariable     = "SERIN_BENCH_NEXT" // where it sends requests, comma-separated
	servicesVariable = "SERIN_BENCH_SERVICES"
	profileVariable  = "SERIN_BENCH_PROFILE" // folder for CPU profiles, if set

	routerRole  = "router"
	queueRole   = "queue"
	netHTTPRole = "net/http"
	loadRole    = "load"
)

// serve plays a role.
func serve(ctx context.Context, role string) error {
	services, err := strconv.Atoi(os.Getenv(servicesVariable))
	if err != nil {
		return fmt.Errorf("%s: %w", servicesVariable, err)
	}
	next := strings.Split(os.Getenv(nextVariable), ",")
	if role == loadRole {
		return load(ctx, next[0], services)
	}
	if dir := os.Getenv(profileVariable); dir != "" {
		stop, err := profile(filepath.Join(dir, strings.ReplaceAll(role, "/", "-")+"-"+strconv.Itoa(os.Getpid())+".pprof"))
		if err != nil {
			return err
		}
		defer stop()
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", os.Getenv(addrVariable))
	if err != nil {
		return err
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	switch role {
	case netHTTPRole:
		return reverseProxy(ctx, ln, next[0])
	case queueRole:
		admin, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		return queue.Run(ctx, queue.Config{Listener: ln, Admin: admin, ModelServer: next[0], Concurrency: 64, Log: quiet})
	}
	return router.Run(ctx, router.Config{Listener: ln, Domain: "example.com", Log: quiet, Static: table(services, next)})
}

func profile(name string) (stop func(), err error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close() // a profile that is cut off shows when read
	}, nil
}

// reverseProxy is net/http's, with nothing around it.
func reverseProxy(ctx context.Context, ln net.Listener, next string) error {
	target := &url.URL{Scheme: "http", Host: next}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0), // of clients that leave when their turn is over
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 1000, DisableCompression: true},
	}}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	_ = server.Serve(ln) // ends with ctx
	return nil
}

// table is a table of services with a canary at 10% each.
func table(services int, next []string) *routing.Input {
	in := &routing.Input{}
	for i := range services {
		name := fmt.Sprintf("iris-%d", i)
		latest, prev := name+"-predictor-00002", name+"-predictor-00001"
		in.Services = append(in.Services, routing.Service{Namespace: "bench", Name: name, Traffic: []routing.Share{
			{Revision: latest, Percent: 10, Tag: "latest"}, {Revision: prev, Percent: 90, Tag: "prev"},
		}})
		in.Pods = append(in.Pods,
			routing.Pod{Namespace: "bench", Revision: latest, Addr: next[0]},
			routing.Pod{Namespace: "bench", Revision: prev, Addr: next[len(next)-1]})
	}
	return in
}
