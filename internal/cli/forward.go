// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
)

// dialPod returns what opens a connection to a Pod's kubelet through the API server.
type dialPod func(namespace, name string) (httpstream.Dialer, error)

// forwarding dials as `kubectl port-forward` does.
func forwarding(config *restclient.Config, api *url.URL) dialPod {
	return func(namespace, name string) (httpstream.Dialer, error) {
		return portforward.NewSPDYOverWebsocketDialerForStreaming(api.JoinPath("api/v1/namespaces", namespace, "pods", name, "portforward"), config)
	}
}

// podClient returns a client for URLs like http://NAME.NAMESPACE:PORT/. Its connections begin
// in the Pod's own network, so they need neither a way to the Pod from here nor a NetworkPolicy
// that lets them in, as the API server's proxy to Pods would.
func podClient(dial dialPod) *http.Client {
	return &http.Client{Transport: &http.Transport{
		IdleConnTimeout: time.Minute,
		DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			name, namespace, _ := strings.Cut(host, ".")
			dialer, err := dial(namespace, name)
			if err != nil {
				return nil, err
			}
			connection, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
			if err != nil {
				return nil, err
			}
			conn, err := openPort(connection, port)
			if err != nil {
				_ = connection.Close()
				return nil, err
			}
			return conn, nil
		},
	}}
}

// openPort makes the two streams of a forwarded connection: what goes wrong, and the data.
func openPort(connection httpstream.Connection, port string) (*podConn, error) {
	headers := http.Header{}
	headers.Set(corev1.PortHeader, port)
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	failures, err := connection.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	if err := failures.Close(); err != nil { // we report none
		return nil, err
	}
	c := &podConn{connection: connection, ended: make(chan struct{})}
	go func() {
		c.said, _ = io.ReadAll(failures) // until one side ends it
		close(c.ended)
	}()
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	c.Stream, err = connection.CreateStream(headers)
	return c, c.explain(err)
}

// podConn is a connection to a Pod's port.
type podConn struct {
	httpstream.Stream // the data

	connection httpstream.Connection
	said       []byte // what went wrong, once ended is closed
	ended      chan struct{}
}

func (c *podConn) Read(p []byte) (int, error) {
	n, err := c.Stream.Read(p)
	return n, c.explain(err)
}

func (c *podConn) Write(p []byte) (int, error) {
	n, err := c.Stream.Write(p)
	return n, c.explain(err)
}

// explain returns what the kubelet says went wrong, if it does. It ends both streams then, and
// the other one's end may be seen a little later.
func (c *podConn) explain(err error) error {
	if err == nil {
		return nil
	}
	select {
	case <-c.ended:
		if len(c.said) > 0 {
			return fmt.Errorf("forward the port: %s", c.said)
		}
	case <-time.After(time.Second):
	}
	return err
}

func (c *podConn) Close() error { return c.connection.Close() }

func (*podConn) LocalAddr() net.Addr  { return podAddr{} }
func (*podConn) RemoteAddr() net.Addr { return podAddr{} }

// Deadlines are the requests' own: net/http closes the connection.
func (*podConn) SetDeadline(time.Time) error      { return nil }
func (*podConn) SetReadDeadline(time.Time) error  { return nil }
func (*podConn) SetWriteDeadline(time.Time) error { return nil }

type podAddr struct{}

func (podAddr) Network() string { return "port-forward" }
func (podAddr) String() string  { return "pod" }
