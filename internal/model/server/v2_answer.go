// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"runtime/debug"

	"github.com/serin-dev/serin/internal/model/frame"
)

// answers is what all answers of V2 have in common.
type answers struct {
	version             string     // of the model; empty if it has none
	name, quotedVersion []byte     // as JSON
	labels, raw         [][][]byte // of what the model answers, as JSON and in binary
}

// newAnswers renders them once. Labels are those of encodeLabels.
func newAnswers(cfg Config, out frame.Output, labels [][][]byte) answers {
	a := answers{version: cfg.Revision, name: []byte(quote(cfg.ModelName)), quotedVersion: []byte("null")}
	if a.version != "" {
		a.quotedVersion = []byte(quote(a.version))
	}
	return a.of(out, labels)
}

// of returns them for another output.
func (a answers) of(out frame.Output, labels [][][]byte) answers {
	a.labels, a.raw = labels, rawLabels(out)
	if out.Type == frame.Bytes {
		a.labels = nil
		for _, classes := range out.Classes {
			var texts [][]byte
			for _, c := range classes {
				texts = append(texts, []byte(quote(pythonText(c))))
			}
			a.labels = append(a.labels, texts)
		}
	}
	return a
}

// The server's metadata in V2. The extension is the binary form of tensors.
const (
	serverName = "serin-modelserver"
	extension  = "binary_tensor_data"
)

// serverVersion returns the version of the program.
func serverVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func serverMetadata() []byte {
	return fmt.Appendf(nil, `{"name":"%s","version":%s,"extensions":["%s"]}`, serverName, quote(serverVersion()), extension)
}
