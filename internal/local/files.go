// SPDX-License-Identifier: Apache-2.0

package local

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// leastFiles is how many files and connections a start has open, and some for
// the first models and their users.
const leastFiles = 128

// enoughFiles refuses to start with less: what is then missing first is said by
// whoever notices, in many ways.
func enoughFiles() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("ask for the limit of file descriptors: %w", err)
	}
	if limit.Cur < leastFiles { // Go has raised it as far as it may
		return fmt.Errorf("%d file descriptors are too few, it takes %d at least: raise the limit, as with 'ulimit -n 1024'", limit.Cur, leastFiles)
	}
	return nil
}
