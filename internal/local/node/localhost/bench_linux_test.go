// SPDX-License-Identifier: Apache-2.0

package localhost

import (
	"fmt"
	"net"
	"strconv"
	"testing"
)

// What the calls of a program cost without a room and in one: go test -bench . -benchtime 1x -count 5
func BenchmarkCalls(b *testing.B) {
	for _, in := range []bool{false, true} {
		for _, call := range []string{"tcp to a port of the machine", "tcp to its own port", "udp at a port", "udp at any port"} {
			b.Run(fmt.Sprintf("room=%v/%s", in, call), func(b *testing.B) {
				for range b.N {
					b.ReportMetric(timed(b, in, call), "median-ns/op")
				}
			})
		}
	}
}

func timed(b *testing.B, in bool, call string) float64 {
	b.Helper()
	port := machine(b)
	var r *testRoom
	if in {
		r = enter(b)
	}
	p := r.start(b, "program")
	step := "time tcp 127.0.0.1:" + port
	switch call {
	case "tcp to its own port":
		own := "127.0.0.1:0"
		if in {
			own = "127.0.0.1:" + port
		}
		_, port, _ = net.SplitHostPort(p.do(b, "listen tcp4 %s", own))
		step = "time tcp 127.0.0.1:" + port
	case "udp at a port":
		step = "time udp 127.0.0.2:" + port
		if in {
			step = "time udp 0.0.0.0:" + port
		}
	case "udp at any port":
		step = "time udp 0.0.0.0:0"
	}
	ns, err := strconv.ParseFloat(p.do(b, "%s", step), 64)
	if err != nil {
		b.Fatal(err)
	}
	return ns
}
