// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
)

// The parts of SPDX 2.3 that a list of Go modules needs; see
// https://spdx.github.io/spdx-spec/v2.3/.
type (
	document struct {
		Version           string         `json:"spdxVersion"`
		ID                string         `json:"SPDXID"`
		Name              string         `json:"name"`
		DataLicense       string         `json:"dataLicense"`
		DocumentNamespace string         `json:"documentNamespace"`
		CreationInfo      creation       `json:"creationInfo"`
		Packages          []module       `json:"packages"`
		Relationships     []relationship `json:"relationships"`
	}
	creation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	module struct {
		ID           string      `json:"SPDXID"`
		Name         string      `json:"name"`
		Version      string      `json:"versionInfo"`
		Download     string      `json:"downloadLocation"`
		Checksums    []checksum  `json:"checksums,omitempty"`
		ExternalRefs []reference `json:"externalRefs"`
	}
	checksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	reference struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	relationship struct {
		Of   string `json:"spdxElementId"`
		Type string `json:"relationshipType"`
		To   string `json:"relatedSpdxElement"`
	}
)

// modules lists what a program was built from, as the compiler wrote it down.
func modules(program, name, version string) ([]byte, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("read what the program was built from: %w", err)
	}
	file, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	d := document{
		Version:           "SPDX-2.3",
		ID:                "SPDXRef-DOCUMENT",
		Name:              "serin-" + name,
		DataLicense:       "CC0-1.0",
		DocumentNamespace: fmt.Sprintf("https://github.com/serin-dev/serin/sbom/%s/%x", name, sha256.Sum256(file)),
		CreationInfo:      creation{Created: epoch.Format("2006-01-02T15:04:05Z"), Creators: []string{"Tool: serin-images"}},
	}
	main := info.Main
	main.Version = version
	all := append([]*debug.Module{&main}, info.Deps...)
	all = append(all, &debug.Module{Path: "stdlib", Version: strings.TrimPrefix(info.GoVersion, "go")})
	for i, m := range all {
		for m.Replace != nil {
			m = m.Replace
		}
		p := module{
			ID:           fmt.Sprintf("SPDXRef-%d", i),
			Name:         m.Path,
			Version:      m.Version,
			Download:     "NOASSERTION",
			ExternalRefs: []reference{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + m.Path + "@" + m.Version}},
		}
		if sum, ok := strings.CutPrefix(m.Sum, "h1:"); ok { // of the module's files, as go.sum has it
			if b, err := base64.StdEncoding.DecodeString(sum); err == nil {
				p.Checksums = []checksum{{"SHA256", hex.EncodeToString(b)}}
			}
		}
		d.Packages = append(d.Packages, p)
		r := relationship{d.Packages[0].ID, "DEPENDS_ON", p.ID}
		if i == 0 {
			r = relationship{d.ID, "DESCRIBES", p.ID}
		}
		d.Relationships = append(d.Relationships, r)
	}
	return json.MarshalIndent(d, "", " ")
}
