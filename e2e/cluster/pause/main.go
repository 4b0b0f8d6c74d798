// SPDX-License-Identifier: Apache-2.0

// Command pause waits for SIGTERM. It holds the namespaces of a Pod in the test
// cluster, which reaches no registry for the usual image.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, os.Interrupt, syscall.SIGTERM)
	<-told
}
