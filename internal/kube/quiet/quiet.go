// SPDX-License-Identifier: Apache-2.0

// Package quiet keeps kube-apiserver's etcd client from writing to standard
// error: a line for each request while etcd is away, among which the sentence
// that says why would drown. The client's logger is made when its package is
// initialized. This one comes before it: Go initializes packages in the order
// of their import paths as far as their imports allow, and it has few.
package quiet

import "go.etcd.io/etcd/client/pkg/v3/logutil"

func init() {
	logutil.DefaultZapLoggerConfig.OutputPaths = []string{"/dev/null"}
	logutil.DefaultZapLoggerConfig.ErrorOutputPaths = []string{"/dev/null"}
}
