// SPDX-License-Identifier: Apache-2.0

package render

import "embed"

// Runtimes holds the ClusterServingRuntimes that Serin ships, one YAML file
// each in the folder runtimes.
//
//go:embed runtimes/*.yaml
var Runtimes embed.FS
