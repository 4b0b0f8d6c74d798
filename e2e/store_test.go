// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// store serves a folder of the script at $STORE, where every Pod reaches it. What
// the script writes there later is served, too.
func store(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: store FOLDER")
	}
	folder := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(folder, 0o700))
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort(running(ts).cluster.storeHost(), "0"))
	ts.Check(err)
	server := &http.Server{Handler: http.FileServer(http.Dir(folder)), ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(l)
	ts.Defer(func() { _ = server.Close() })
	ts.Setenv("STORE", "http://"+l.Addr().String())
}
