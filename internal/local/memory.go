// SPDX-License-Identifier: Apache-2.0

package local

import (
	"math"
	"os"
	"runtime/debug"
)

// A start makes much garbage once. Afterwards some 200 MB of caches are live, and
// there is little garbage. So the collector is off during the start, up to
// startLimit, and afterwards runs more often than by default, which saves memory
// for little time.
const (
	startLimit   = 400 << 20 // bytes
	steadyTarget = 40        // percent of new heap over live heap
)

// saveMemory configures the collector for the start, and returns a function that
// configures it for what follows. It does nothing if GOGC is set.
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
