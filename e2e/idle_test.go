// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

var apiServer = regexp.MustCompile(`server: https://(\S+)`)

// idle opens N connections to an address, sends nothing on them, runs a command,
// and closes them. The address "api" is that of the KUBECONFIG.
func idle() {
	if len(os.Args) < 4 {
		exit("idle", errors.New("usage: idle N ADDRESS COMMAND [ARGS]"))
	}
	n, err := strconv.Atoi(os.Args[1])
	exit("idle", err)
	address := os.Args[2]
	if address == "api" {
		config, err := os.ReadFile(os.Getenv("KUBECONFIG"))
		exit("idle", err)
		m := apiServer.FindSubmatch(config)
		if m == nil {
			exit("idle", errors.New("the KUBECONFIG names no server"))
		}
		address = string(m[1])
	}
	for range n {
		c, err := net.DialTimeout("tcp", address, 5*time.Second)
		exit("idle", err)
		defer func() { _ = c.Close() }()
	}
	c := exec.Command(os.Args[3], os.Args[4:]...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		exit("idle", fmt.Errorf("beside %d idle connections: %w", n, err))
	}
}
