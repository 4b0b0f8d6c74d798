// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// account writes a kubeconfig for the same API that has the rights of a
// ServiceAccount, and no others.
func account(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: account NAMESPACE NAME FILE")
	}
	serin := filepath.Join(ts.Getenv("SERIN_BIN"), "serin")
	c := exec.Command(serin, "kubectl", "create", "token", "-n", args[0], args[1])
	c.Env = []string{"KUBECONFIG=" + ts.Getenv("KUBECONFIG")}
	token, err := c.Output()
	ts.Check(err)
	config, err := clientcmd.LoadFromFile(ts.Getenv("KUBECONFIG"))
	ts.Check(err)
	for user := range config.AuthInfos {
		config.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: string(bytes.TrimSpace(token))}
	}
	ts.Check(clientcmd.WriteToFile(*config, ts.MkAbs(args[2])))
}

// part starts one of the small programs. For a router it also sets INGRESS_HOST
// and INGRESS_PORT.
func part(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: part NAME [FLAGS]")
	}
	log := ts.MkAbs(args[0] + ".log")
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	ts.Check(err)
	c := exec.Command(filepath.Join(ts.Getenv("SERIN_BIN"), "serin-"+args[0]), args[1:]...)
	c.Dir = ts.Getenv("WORK")
	c.Stdout, c.Stderr = out, out
	ts.Check(c.Start())
	ts.Check(out.Close())
	ts.Defer(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	if args[0] != "router" {
		return
	}
	address := awaitOutput(ts, log, regexp.MustCompile(`requests=(\S+):(\d+) `), eventual, nil)
	ts.Setenv("INGRESS_HOST", address[1])
	ts.Setenv("INGRESS_PORT", address[2])
}

// tmpfs mounts a disk of memory until the script ends.
func tmpfs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tmpfs DIR SIZE")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	ts.Check(ts.Exec("mount", "-t", "tmpfs", "-o", "mode=0700,size="+args[1], "serin-test", dir))
	ts.Defer(func() { _ = exec.Command("umount", "-l", dir).Run() })
}
