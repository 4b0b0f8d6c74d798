// SPDX-License-Identifier: Apache-2.0

// Package e2e drives the real program as its users do: the scripts in testdata
// read like the manual, and docs/tutorial.md is one of them.
//
// Besides testscript's own commands, scripts have:
//
//	up [FLAGS]          serin up, in $WORK/data, on free ports; waits until it is up
//	down                Ctrl-C; fails unless it ends well within 10 s and leaves no process
//	crash               kill -9; fails if a model process outlives it
//	eventually RE CMD   repeats CMD until its output matches, for a minute at most
//	expand FILE...      puts the value of $WORK into files, in the place of @WORK@
//	absent CMD          repeats CMD until it prints nothing on standard output
//	account NAMESPACE NAME FILE  writes a kubeconfig of a ServiceAccount
//	part NAME [FLAGS]   starts serin-NAME, as a cluster would; it ends with the script
//	terminal RE KEYS CMD  runs CMD in a terminal of 80x24, and types KEYS once it shows RE
//	tutorial PAGE       runs a page of docs, and compares what it shows
//	kubectl, curl, jq   programs on the PATH: serin kubectl, and as much of the others as we need
//	count N CURL-ARGS   a program too: sends a request N times, and counts by revision who answered
package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/serin-dev/serin/internal/kubetest"
	"github.com/serin-dev/serin/internal/local/models"
	"github.com/serin-dev/serin/internal/store"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kubectl": kubectl, "curl": curl, "jq": jq, "count": count})
}

func TestScripts(t *testing.T) {
	bin, err := kubetest.Programs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	docs, err := filepath.Abs("../docs")
	if err != nil {
		t.Fatal(err)
	}
	emulator, err := store.Start(t.Context(), models.Bucket())
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("SERIN_BIN", bin)
			env.Setenv("DOCS", docs)
			env.Setenv("SERIN_DATA_DIR", filepath.Join(env.WorkDir, "data"))
			env.Setenv("STORAGE_EMULATOR_HOST", emulator)
			env.Values[home{}] = &home{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"up":         up,
			"down":       down,
			"crash":      crash,
			"eventually": eventually,
			"absent":     absent,
			"expand":     expand,
			"account":    account,
			"part":       part,
			"terminal":   terminal,
			"tutorial":   tutorial,
		},
	})
}

// kubectl becomes `serin kubectl`.
func kubectl() {
	serin, err := exec.LookPath("serin")
	if err == nil {
		err = syscall.Exec(serin, append([]string{serin, "kubectl"}, os.Args[1:]...), os.Environ())
	}
	exit("kubectl", err)
}
