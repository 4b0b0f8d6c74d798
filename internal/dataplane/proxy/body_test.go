// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// moveChunks moves a chunked body and returns what came out, what was left
// unread, and the error.
func moveChunks(in string) (out, rest string, err error) {
	var b bytes.Buffer
	m := bodyCopier{dst: bufio.NewWriter(&b), src: bufio.NewReaderSize(strings.NewReader(in), 64)}
	m.begin(chunked)
	err = m.copy()
	_ = m.dst.Flush() // into memory
	left, _ := io.ReadAll(m.src)
	return b.String(), string(left), err
}

// moveInterrupted does the same byte by byte, interrupted before each.
func moveInterrupted(in string) (out string, err error) {
	var b bytes.Buffer
	m := bodyCopier{dst: bufio.NewWriter(&b), src: bufio.NewReaderSize(iotest.OneByteReader(strings.NewReader(in)), 64)}
	again := false
	m.wait = func(int) error {
		if again = !again; again {
			return errClientWaits
		}
		_, err := m.src.Peek(m.src.Buffered() + 1)
		return err
	}
	m.begin(chunked)
	for err = errClientWaits; errors.Is(err, errClientWaits); {
		err = m.copy()
	}
	_ = m.dst.Flush() // into memory
	return b.String(), err
}

// parse reads a chunked body as net/http does.
func parse(body string) (string, error) {
	response, err := http.ReadResponse(bufio.NewReader(strings.NewReader("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+body)), nil)
	if err != nil {
		return "", err
	}
	content, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	return string(content), err
}

// What the proxy lets through, another parser must read in the same way, or
// requests could be smuggled past one of the two.
func FuzzChunks(f *testing.F) {
	for _, seed := range []string{
		"0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\nnext", "5;a=b\r\nhello\r\n0\r\nT: 1\r\n\r\n", "A \r\n0123456789\r\n00\r\n\r\n",
		"5\nhello\n0\n\n", "5\r\nhello0\r\n\r\n", "-5\r\n", "\r\n", "5\r\nhel", "0\r\n: x\r\n\r\n", "0\r\na b: x\r\n\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out, rest, err := moveChunks(in)
		if slowly, again := moveInterrupted(in); again == nil != (err == nil) || err == nil && slowly != out {
			t.Fatalf("%q came out as %q, %v, and interrupted as %q, %v", in, out, err, slowly, again)
		}
		if err != nil {
			return
		}
		content, err := parse(out)
		if err != nil && !strings.Contains(err.Error(), "railer") && !strings.Contains(err.Error(), "MIME") {
			t.Fatalf("%q came out as %q, which is malformed: %v", in, out, err)
		}
		if again, _, err := moveChunks(out); err != nil || again != out {
			t.Fatalf("%q came out as %q and then as %q, %v", in, out, again, err)
		}
		if !strings.HasSuffix(in, rest) {
			t.Fatalf("%q left %q", in, rest)
		}
		if was, err := parse(in[:len(in)-len(rest)]); err == nil && was != content {
			t.Fatalf("%q held %q and came out with %q", in, was, content)
		}
	})
}
