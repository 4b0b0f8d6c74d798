// SPDX-License-Identifier: Apache-2.0

// Package e2e drives the real program as its users do: the scripts in testdata
// read like the manual, and docs/tutorial.md is one of them.
//
// Besides testscript's own commands, scripts have:
//
//	up [FLAGS]          serin up, in $WORK/data, on free ports; waits until it is up. $DESCRIPTORS bounds its open files
//	down                Ctrl-C; fails unless it ends well, and leaves no process
//	crash               kill -9; fails if a model process outlives it
//	eventually RE CMD   repeats CMD until its output matches, for a minute at most
//	expand FILE...      replaces @WORK@, and the images @MODELSERVER@ and @CLIENT@ and the program @TWOPORTS@, in files
//	absent CMD          repeats CMD until it prints nothing on standard output
//	account NAMESPACE NAME FILE  writes a kubeconfig of a ServiceAccount
//	tmpfs DIR SIZE      mounts a disk in memory, as small as wanted; it ends with the script
//	part NAME [FLAGS]   starts serin-NAME, as a cluster would; it ends with the script
//	terminal RE KEYS CMD  runs CMD in a terminal of 80x24, and types KEYS once it shows RE
//	follow ARGS         runs serin with ARGS, runs the commands that it prints for another terminal, and ends it by Ctrl-C
//	tutorial PAGE       runs a page of docs, and compares what it shows
//	kubectl, curl, jq   programs on the PATH: serin kubectl, and as much of the others as we need
//	count N CURL-ARGS   a program too: sends a request N times, and counts the answers of each revision
//	idle N ADDR CMD     a program too: runs CMD while N idle connections to ADDR are open; "api" is the address of the API
//	call N ADDR HOST METHOD  a program too: makes N gRPC calls to HOST at the router's address, and counts their statuses by revision
//	twoports HTTP GRPC  a program for Pods, @TWOPORTS@ in files: a model server with a port for each protocol
//	load N CURL-ARGS    sends it N times per second until Ctrl-C, or as N/10s for 10 s; counts failures, and prints when the last was
//
// The scripts run in two places. On a laptop each has a `serin up` of its own. In
// the cluster of $SERIN_E2E_KUBECONFIG, up installs Serin and down deletes what the
// script made, so they run one after the other. A script for a laptop alone has
// `[cluster] skip`. Scripts for a cluster alone are in testdata/cluster; they also
// have
//
//	machine kill NODE   cuts a node's power; `machine boot` restores it
//	failover LEASE      kill -9 of the process that holds a lease of serin-system; waits until another does
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/serin-dev/serin/internal/local/bucket"
	"github.com/serin-dev/serin/internal/local/models"
	"github.com/serin-dev/serin/internal/testkit/kubetest"
)

// The folder of two virtual environments: kserve and mlserver. tools/kserve-python.sh sets it.
const pythonVariable = "SERIN_PYTHON"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kubectl": kubectl, "curl": curl, "jq": jq, "count": count, "load": load, "idle": idle, "call": call, "twoports": twoPorts})
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
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		t.Fatal(err)
	}
	gateway := filepath.Join(strings.TrimSpace(string(module)), "config", "crd", "standard")
	where, err := findHome(bin)
	if err != nil {
		t.Fatal(err)
	}
	emulator, err := bucket.StartAt(t.Context(), where.storeHost(), models.Bucket())
	if err != nil {
		t.Fatal(err)
	}
	twoPorts, err := exec.LookPath("twoports")
	if err != nil {
		t.Fatal(err)
	}
	params := testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("SERIN_BIN", bin)
			env.Setenv("DOCS", docs)
			env.Setenv("SERIN_DATA_DIR", filepath.Join(env.WorkDir, "data"))
			env.Setenv("STORAGE_EMULATOR_HOST", emulator)
			env.Setenv("MODELS", filepath.Join(docs, "..", "internal", "local", "models"))
			env.Setenv("GATEWAY_API", gateway)
			env.Setenv("PREVIOUS", os.Getenv(previousVariable))
			env.Setenv("PYTHON", os.Getenv(pythonVariable))
			env.Setenv("CLIENT", where.image("client"))
			env.Setenv("TWOPORTS", twoPorts)
			env.Setenv("MODELSERVER", where.image("modelserver"))
			env.Values[home{}] = &home{cluster: where}
			return nil
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "cluster":
				return where != nil, nil
			case "root":
				return os.Getuid() == 0, nil
			case "here":
				return os.Getenv(hereVariable) != "", nil
			case "previous":
				return os.Getenv(previousVariable) != "", nil
			case "python":
				return os.Getenv(pythonVariable) != "", nil
			}
			return false, fmt.Errorf("unknown condition %s", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"up":         up,
			"down":       down,
			"crash":      crash,
			"eventually": matches,
			"absent":     absent,
			"expand":     expand,
			"account":    account,
			"part":       part,
			"store":      store,
			"tmpfs":      tmpfs,
			"terminal":   terminal,
			"tutorial":   tutorial,
			"follow":     follow,
			"machine":    machine,
			"failover":   failover,
		},
	}
	testscript.Run(t, params)
	if where != nil {
		params.Dir = "testdata/cluster"
		testscript.Run(t, params)
	}
}

// kubectl becomes `serin kubectl`.
func kubectl() {
	serin, err := exec.LookPath("serin")
	if err == nil {
		err = syscall.Exec(serin, append([]string{serin, "kubectl"}, os.Args[1:]...), os.Environ())
	}
	exit("kubectl", err)
}
