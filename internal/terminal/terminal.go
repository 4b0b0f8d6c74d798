// SPDX-License-Identifier: Apache-2.0

// Package terminal is what commands need that speak with a person: is there
// one, and does the person agree. What to ask is for the command to say.
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

// Is reports whether a person reads or writes v.
func Is(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Agreed reads the answer to a question that ends in [y/N].
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
