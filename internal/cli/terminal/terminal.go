// SPDX-License-Identifier: Apache-2.0

// Package terminal is for commands that talk to a user: it reports whether there
// is one, and whether the user agrees.
package terminal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Is reports whether v is a terminal.
func Is(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Agreed reads the answer to a question that ends in [y/N], and reports whether it
// is yes.
func Agreed(in io.Reader) (bool, error) {
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}

// Examples puts what people type first in front of each line.
func Examples(prefix, lines string) string {
	var out strings.Builder
	for line := range strings.Lines(lines) {
		out.WriteString("  " + prefix + " " + line)
	}
	return out.String()
}
