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

// detector finds out, once per address, whether a target speaks HTTP/2.
type detector struct {
	known  sync.Map // bool, by address
	asking singleflight.Group
}

func (d *detector) http2(addr string) bool {
	if is, ok := d.known.Load(addr); ok {
		return is.(bool)
	}
	is, _, _ := d.asking.Do(addr, func() (any, error) {
		is, sure := speaksHTTP2(addr)
		if sure {
			d.known.Store(addr, is)
		}
		return is, nil
	})
	return is.(bool)
}

// speaksHTTP2 begins an HTTP/2 connection and looks at the answer: a SETTINGS
// frame, or whatever an HTTP/1.1 server thinks of it. It is not sure of a
// target that says neither, because that may be starting or ending.
func speaksHTTP2(addr string) (is, sure bool) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout) // on behalf of all who ask
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return true, false // what the client speaks
	}
	defer func() { _ = conn.Close() }() // only asked
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
		return true, false // it loads, with the connection in its backlog
	case err != nil:
		return false, false // a server of HTTP/1.1 may close so, or one that dies
	}
	return answer[3] == 4 && bytes.Equal(answer[5:], []byte{0, 0, 0, 0}), true
}
