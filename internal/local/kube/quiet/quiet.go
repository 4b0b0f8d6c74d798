// SPDX-License-Identifier: Apache-2.0

// Package quiet keeps kube-apiserver's etcd client from writing to standard
// error. While etcd is down, the client logs a line per request, which would hide
// our own message. Its logger is made when its package is initialized. This
// package is initialized earlier: Go sorts packages by import path and initializes
// the first one whose imports are initialized, and this one has few imports.
package quiet

import "go.etcd.io/etcd/client/pkg/v3/logutil"

func init() {
	logutil.DefaultZapLoggerConfig.OutputPaths = []string{"/dev/null"}
	logutil.DefaultZapLoggerConfig.ErrorOutputPaths = []string{"/dev/null"}
}
