// SPDX-License-Identifier: Apache-2.0

// Package crd holds the CustomResourceDefinitions of Serin's API as YAML, for
// kubectl apply and for installing them from a program. They are generated
// from the types beside it and small enough for a client-side apply; the
// rules in them reject what Serin does not do, so that no webhook is needed.
package crd

import "embed"

// Files holds one CustomResourceDefinition per YAML file.
//
//go:generate go -C ../../tools run ./generate
//go:embed *.yaml
var Files embed.FS
