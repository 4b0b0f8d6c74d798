// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-dev/serin/internal/testkit/eventually"
)

// slowModel writes an SVC of a thousand classes, which takes seconds for the probabilities of a row.
func slowModel(t *testing.T) string {
	t.Helper()
	const n, pairs = 1000, 1000 * 999 / 2
	text := func(s string) string {
		return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
	}
	array := func(name, code string, elements []byte, shape ...int32) string {
		dims := "("
		for _, n := range shape {
			dims += "J" + string(binary.LittleEndian.AppendUint32(nil, uint32(n)))
		}
		return text(name) + "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR(K\x01" + dims + "tcnumpy\ndtype\n(" +
			text(code) + "\x89\x88tR\x89B" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(elements)))) + string(elements) + "tb"
	}
	floats := func(n int) (b []byte) {
		for i := range n {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(i%7)-3))
		}
		return b
	}
	numbers := func(n int, of func(int) uint64) (b []byte) {
		for i := range n {
			b = binary.LittleEndian.AppendUint64(b, of(i))
		}
		return b
	}
	file := "\x80\x03csklearn.svm._classes\nSVC\n)\x81}(" + text("kernel") + text("linear") +
		array("classes_", "i8", numbers(n, func(i int) uint64 { return uint64(i) }), n) +
		array("_n_support", "i8", numbers(n, func(int) uint64 { return 1 }), n) +
		array("support_vectors_", "f8", floats(n), n, 1) + array("_dual_coef_", "f8", floats(n*(n-1)), n-1, n) +
		array("_intercept_", "f8", floats(pairs), pairs) + array("_probA", "f8", floats(pairs), pairs) + array("_probB", "f8", floats(pairs), pairs) + "ub."
	path := filepath.Join(t.TempDir(), "svc.pkl")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// It would take minutes to answer, and the end of the server waits for that.
func TestAPredictionEndsWithItsClient(t *testing.T) {
	r := start(t, slowModel(t), func(c *Config) { c.Proba = true })
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	body := `{"instances":[` + strings.Repeat("[1],", 1000) + "[2]]}"
	if _, err := fmt.Fprintf(conn, "POST /v1/models/m:predict HTTP/1.1\r\nHost: m\r\nContent-Length: %d\r\n\r\n", len(body)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, body); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, func(context.Context) (any, bool) { // it has begun
		metrics := r.do(t, http.MethodGet, "/metrics", nil)
		return metrics, strings.Contains(metrics, `request_preprocess_seconds_count{model_name="m"} 1`)
	})
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	r.stop()
	r.ended(t)
}
