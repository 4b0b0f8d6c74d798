// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"runtime/debug"
	_ "unsafe" // for go:linkname

	"k8s.io/component-base/version"
)

// gitVersion is the version that Kubernetes reports. Its own build sets it with
// a linker flag. In a module build it would be "v0.0.0-master+$Format", at which
// kubectl version fails. It is set from the build information here, so that every
// build of ours has it, with or without make.
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
			// It fails only for a version other than gitVersion.
			_ = version.SetDynamicVersion(m.Version)
		}
	}
}
