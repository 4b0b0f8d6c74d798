// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1alpha1"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/controller"
	"github.com/serin-dev/serin/internal/controlplane/operator"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/testkit/kubetest"
)

// What all tests share: one control plane, one controller, one fake node.
var (
	api    client.Client
	node   *kubelet
	writes = &writeLog{}
)

func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() != "" { // it needs no control plane
		os.Exit(m.Run())
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if os.Getenv("SERIN_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	server, err := kubetest.Start(ctx, "--without=controller,node,router")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()

	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme), v1beta1.AddToScheme(scheme)); err != nil {
		return 0, err
	}
	if api, err = client.New(server.REST, client.Options{Scheme: scheme}); err != nil {
		return 0, err
	}
	if node, err = startKubelet(ctx, server.REST); err != nil {
		return 0, err
	}
	observed := rest.CopyConfig(server.REST)
	observed.Wrap(writes.wrap)
	ended := make(chan error, 1)
	go func() {
		ended <- controller.Run(ctx, controller.Config{
			Config: operator.Config{REST: observed, Log: log},
			Domain: "example.com",
			Render: render.Options{FetchImage: "serin/fetch", QueueImage: "serin/queue"},
		})
	}()
	code = m.Run()
	cancel()
	return code, <-ended
}

// writeLog remembers what the controller wrote, events apart. A write is in it
// before anybody can see its effect.
type writeLog struct {
	mu  sync.Mutex
	all []*write
}

type write struct {
	text   string
	failed bool
}

func (l *writeLog) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodGet || strings.Contains(r.URL.Path, "/events") || r.URL.Query().Has("dryRun") {
			return next.RoundTrip(r)
		}
		entry := &write{text: r.Method + " " + r.URL.Path}
		l.mu.Lock()
		l.all = append(l.all, entry)
		l.mu.Unlock()
		res, err := next.RoundTrip(r)
		if err != nil || res.StatusCode >= 300 {
			l.mu.Lock()
			entry.failed = true
			l.mu.Unlock()
		}
		return res, err
	})
}

// now is a place in the log.
func (l *writeLog) now() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

// since returns the writes in a namespace after a place in the log.
func (l *writeLog) since(place int, namespace string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, w := range l.all[place:] {
		if method, path, ok := strings.Cut(w.text, "/namespaces/"+namespace+"/"); ok && !w.failed {
			method, _, _ = strings.Cut(method, " ")
			out = append(out, method+" "+path)
		}
	}
	return out
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
