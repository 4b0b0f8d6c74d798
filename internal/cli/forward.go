// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
)

// dialPod returns what opens a connection to a Pod's kubelet through the API server.
type dialPod func(namespace, name string) (httpstream.Dialer, error)

// forwarding dials as `kubectl port-forward` does.
func forwarding(config *restclient.Config, api *url.URL) dialPod {
	return func(namespace, name string) (httpstream.Dialer, error) {
		return portforward.NewSPDYOverWebsocketDialer(api.JoinPath("api/v1/namespaces", namespace, "pods", name, "portforward"), config)
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
	if err := failures.Close(); err != nil { // we have none to tell
		return nil, err
	}
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := connection.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	c := &podConn{Stream: data, connection: connection, failed: make(chan error, 1)}
	go func() {
		said, _ := io.ReadAll(failures) // until one side closes
		if len(said) > 0 {
			c.failed <- errors.New(string(said))
		}
		close(c.failed)
	}()
	return c, nil
}

// podConn is a connection to a Pod's port.
type podConn struct {
	httpstream.Stream // the data

	connection httpstream.Connection
	failed     chan error
}

// Read ends with what the kubelet says went wrong, if anything did.
func (c *podConn) Read(p []byte) (int, error) {
	n, err := c.Stream.Read(p)
	if err != nil {
		_ = c.connection.Close()
		if failure := <-c.failed; failure != nil {
			err = fmt.Errorf("forward the port: %w", failure)
		}
	}
	return n, err
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
