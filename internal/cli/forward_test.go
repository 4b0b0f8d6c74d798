// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/proxy"
	tunnel "k8s.io/apiserver/pkg/util/proxy"
	restclient "k8s.io/client-go/rest"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
)

// kubelet forwards ports of Pods: here port 8081 of any of them to one address.
type kubelet struct{ address string }

func (k kubelet) PortForward(ctx context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	if port != 8081 {
		return fmt.Errorf("nobody listens on %d", port)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", k.address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	go func() { _, _ = io.Copy(conn, stream) }()
	_, err = io.Copy(stream, conn)
	return err
}

type responder struct{ t *testing.T }

func (r responder) Error(_ http.ResponseWriter, _ *http.Request, err error) { r.t.Log(err) }

// apiWithPods is the way from an API server to Pods, with its own parts: it shows handler at the
// port 8081 of all Pods in serin-system.
func apiWithPods(t *testing.T, handler http.Handler) dialPod {
	t.Helper()
	pod := httptest.NewServer(handler)
	t.Cleanup(pod.Close)
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		portforward.ServePortForward(w, r, kubelet{pod.Listener.Addr().String()}, "", "", &portforward.V4Options{},
			time.Minute, time.Minute, portforward.SupportedProtocols)
	}))
	t.Cleanup(node.Close)
	at, err := url.Parse(node.URL)
	if err != nil {
		t.Fatal(err)
	}
	forward := tunnel.NewTunnelingHandler(proxy.NewUpgradeAwareHandler(at, nil, false, true, responder{t}))
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, ok := strings.CutPrefix(r.URL.Path, "/api/v1/namespaces/serin-system/pods/"); ok && strings.HasSuffix(name, "/portforward") {
			forward.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(api.Close)
	host, err := url.Parse(api.URL)
	if err != nil {
		t.Fatal(err)
	}
	return forwarding(&restclient.Config{Host: api.URL}, host)
}

func TestPodClient(t *testing.T) {
	connections := map[string]bool{}
	client := podClient(apiWithPods(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connections[r.RemoteAddr] = true
		_, _ = io.WriteString(w, strings.Repeat(r.URL.Path, 10_000))
	})))
	defer client.CloseIdleConnections()
	for range 3 {
		res, err := client.Get("http://a.serin-system:8081/metrics")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil || string(body) != strings.Repeat("/metrics", 10_000) {
			t.Fatalf("%d bytes, %v", len(body), err)
		}
	}
	if len(connections) != 1 {
		t.Errorf("%d connections for three requests in a row", len(connections))
	}
	for url, want := range map[string]string{
		"http://a.serin-system:8082/": "nobody listens on 8082",
		"http://a.elsewhere:8081/":    "404",
	} {
		res, err := client.Get(url)
		if err == nil {
			_ = res.Body.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}
