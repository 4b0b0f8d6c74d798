// SPDX-License-Identifier: Apache-2.0

package local

import (
	"math"
	"os"
	"runtime/debug"
)

// Starting makes much garbage once; running keeps some 200 MB of caches and
// makes little. So collection waits while starting, within a limit, and is then
// eager, because a laptop's memory is dearer than the little time it takes.
const (
	startLimit   = 400 << 20 // bytes
	steadyTarget = 40        // percent of new heap over live heap
)

// saveMemory sets the collector for starting, and returns what sets it for
// running. A user's GOGC wins.
func saveMemory() (steady func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(startLimit)
	return func() {
		debug.SetMemoryLimit(math.MaxInt64)
		debug.SetGCPercent(steadyTarget)
		debug.FreeOSMemory()
	}
}
