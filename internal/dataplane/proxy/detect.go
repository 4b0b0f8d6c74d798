// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/sync/singleflight"
)

// detector detects whether a target speaks HTTP/2, once for each address.
type detector struct {
	known    sync.Map // bool, by address
	inFlight singleflight.Group
}

func (d *detector) http2(addr string) bool {
	if is, ok := d.known.Load(addr); ok {
		return is.(bool)
	}
	is, _, _ := d.inFlight.Do(addr, func() (any, error) {
		is, sure := speaksHTTP2(addr)
		if sure {
			d.known.Store(addr, is)
		}
		return is, nil
	})
	return is.(bool)
}

// speaksHTTP2 sends the HTTP/2 preface and reports whether the answer is a SETTINGS
// frame. The result is not sure if the target does not answer, because it may be
// starting or stopping.
func speaksHTTP2(addr string) (is, sure bool) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout) // for all concurrent callers
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return true, false // the client's protocol
	}
	defer func() { _ = conn.Close() }() // it was only a probe
	emptySettings := []byte{0, 0, 0, 4, 0, 0, 0, 0, 0}
	var answer [9]byte
	deadline, _ := ctx.Deadline()
	if err = conn.SetDeadline(deadline); err == nil {
		_, err = conn.Write(append([]byte(preface), emptySettings...))
	}
	if err == nil {
		_, err = io.ReadFull(conn, answer[:])
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return true, false // the server is loading, with the connection in its backlog
	case err != nil:
		return false, false // an HTTP/1.1 server may close the connection, and so does one that stops
	}
	return answer[3] == 4 && bytes.Equal(answer[5:], []byte{0, 0, 0, 0}), true
}
