// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestReasonOfEtcdsEnd(t *testing.T) {
	const harmless = `{"level":"error","msg":"failed to update storage version","error":"missing term information"}`
	for name, c := range map[string]struct {
		said, want string
		full       bool
	}{
		"a full disk": {
			harmless + `
{"level":"fatal","msg":"failed to save Raft hard state and entries","error":"write /d/0.wal: no space left on device"}
`, "failed to save Raft hard state and entries: write /d/0.wal: no space left on device", true,
		},
		"our own sentence": {harmless + "\nserin-etcd: the data is damaged\n", "the data is damaged", false},
		"a panic of bbolt": {
			`{"level":"panic","msg":"failed to open","error":"page 3: invalid"}
panic: failed to open

goroutine 1 [running]:
main.main()
`, "failed to open: page 3: invalid", false,
		},
		"a file that is too short": {
			"unexpected fault address 0x7f51\nfatal error: fault\n[signal SIGBUS: bus error]\ngoroutine 1 [running]:\n",
			"unexpected fault address 0x7f51", false,
		},
		"a kill":           {harmless + "\n", "signal: killed", false},
		"a line for ever":  {strings.Repeat("x", 10*maxLine), "signal: killed", false},
		"what is not JSON": {"{\n}\n", "signal: killed", false},
	} {
		t.Run(name, func(t *testing.T) {
			reason := &exitReason{log: slog.New(slog.DiscardHandler)}
			for part := range 3 { // as pipes cut
				third := len(c.said) / 3
				end := third * (part + 1)
				if part == 2 {
					end = len(c.said)
				}
				if _, err := fmt.Fprint(reason, c.said[third*part:end]); err != nil {
					t.Fatal(err)
				}
			}
			reason.keep(exitStatus, "signal: killed")
			if reason.reason != c.want || reason.full != c.full {
				t.Errorf("%q, full %v; want %q, %v", reason.reason, reason.full, c.want, c.full)
			}
			if len(reason.rest) > maxLine {
				t.Errorf("%d bytes are kept", len(reason.rest))
			}
		})
	}
}
