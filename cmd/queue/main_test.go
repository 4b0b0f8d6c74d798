// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strings"
	"testing"
)

func TestWrongFlagsAreRefused(t *testing.T) {
	for line, want := range map[string]string{
		"--port=70000":      "must be a port from 1 to 65535",
		"--port=0":          "must be a port from 1 to 65535",
		"--admin-port=-1":   "must be a port from 1 to 65535",
		"--user-port=http":  "must be a port from 1 to 65535",
		"--grpc-port=70000": "must be a whole number from 0 to 65535",
		"--probe-grpc":      "--probe-grpc needs --grpc-port",
		"--concurrency=-1":  "must be a whole number from 0",
		"--concurrency=1.5": "must be a whole number from 0",
		"--timeout=0":       "must be a whole number from 1",
		"--timeout=30s":     "must be a whole number from 1",
		"--prot=1":          "flag provided but not defined: -prot",
		"now":               `unexpected argument "now"`,
	} {
		t.Run(line, func(t *testing.T) {
			var stderr strings.Builder
			err := run(t.Context(), strings.Fields(line), "127.0.0.1", &stderr)
			if !errors.Is(err, errUsage) || !strings.Contains(err.Error(), want) {
				t.Errorf("it says %v, want: %s", err, want)
			}
		})
	}
}
