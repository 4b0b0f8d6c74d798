// SPDX-License-Identifier: Apache-2.0

package router

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"testing"

	"github.com/serin-dev/serin/internal/dataplane/routing"
)

// BenchmarkRequest measures what one HTTP/1.1 request costs in this process. Its
// client and its Pod allocate nothing.
func BenchmarkRequest(b *testing.B) {
	request := []byte("GET /v1/models/iris HTTP/1.1\r\nHost: iris.n.example.com\r\n\r\n")
	response := []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	pod, clients := listen(b), listen(b)
	b.Cleanup(func() { _ = pod.Close() })
	go func() {
		for {
			nc, err := pod.Accept()
			if err != nil {
				return
			}
			go func() {
				in := bufio.NewReader(nc)
				for {
					line, err := in.ReadSlice('\n')
					if err != nil {
						return
					}
					if len(line) == len("\r\n") {
						_, _ = nc.Write(response) // a failure shows at the client
					}
				}
			}()
		}
	}()
	r := newRouter(Config{Listener: clients, Domain: "example.com", Log: slog.New(slog.DiscardHandler)})
	r.use(routing.Input{
		Services: []routing.Service{{Namespace: "n", Name: "iris", HasHost: true, Traffic: []routing.Share{{Revision: "iris-1", Percent: 100}}}},
		Pods:     []routing.Pod{{Namespace: "n", Revision: "iris-1", Addr: pod.Addr().String()}},
	})
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.run(ctx, func(context.Context) error { return nil }) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	nc, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", clients.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = nc.Close() }() // the router may have closed it
	in := bufio.NewReader(nc)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := nc.Write(request); err != nil {
			b.Fatal(err)
		}
		for body := false; !body; {
			line, err := in.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			body = len(line) == len("\r\n")
		}
		if _, err := in.Discard(len("ok")); err != nil {
			b.Fatal(err)
		}
	}
}
