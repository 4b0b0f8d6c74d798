// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"runtime/debug"
	_ "unsafe" // for go:linkname

	"k8s.io/component-base/version"
)

// gitVersion is what Kubernetes says of itself. Its own build stamps it with
// the linker; whoever builds it as a module has "v0.0.0-master+$Format", at
// which kubectl version stops with an error. Every build of ours knows which
// module it has, also one without make, and no flag can be forgotten.
//
//go:linkname gitVersion k8s.io/component-base/version.gitVersion
var gitVersion string

func init() {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return
	}
	for _, m := range info.Deps {
		if m.Path == "k8s.io/kubernetes" {
			gitVersion = m.Version
			// It takes only what agrees with gitVersion, which this does.
			_ = version.SetDynamicVersion(m.Version)
		}
	}
}
