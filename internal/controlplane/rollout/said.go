// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"regexp"
	"strings"
	"unicode"
)

// maxLines bounds how many of a program's last lines a message repeats.
const maxLines = 12

// escapes matches the sequences that a terminal obeys: colours, titles, moves.
var escapes = regexp.MustCompile("\x1b(\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(\x07|\x1b\\\\)?|[@-Z\\\\^_])")

// lines returns the last lines of a program's output, without blank ones and
// without what a terminal would obey. Of a line that was written over, as progress
// bars do, the last version counts.
func lines(s string) []string {
	var out []string
	for line := range strings.SplitSeq(escapes.ReplaceAllString(s, ""), "\n") {
		line = strings.TrimRight(line, " \t\r")
		line = line[strings.LastIndexByte(line, '\r')+1:]
		if line = strings.Map(printable, strings.ToValidUTF8(line, "")); strings.TrimSpace(line) != "" {
			out = append(out, line)
		}
	}
	return out[max(0, len(out)-maxLines):]
}

func printable(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case unicode.IsPrint(r):
		return r
	}
	return -1
}

// lastLine returns the last line of a program's output: its message for people,
// after the progress that it logged.
func lastLine(s string) string {
	all := lines(s)
	if len(all) == 0 {
		return ""
	}
	return strings.TrimSpace(all[len(all)-1])
}

// withLines adds a program's last lines to a sentence. One line becomes part of
// the sentence, and so does the last of several: it mostly says what is wrong.
func withLines(sentence, output string) string {
	all := lines(output)
	if len(all) > 0 {
		sentence += ": " + clip(lastLine(output), 1000)
	}
	return sentence + details(all)
}

// clip shortens what becomes part of a sentence.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + " ..."
}

// details are several lines below a sentence.
func details(all []string) string {
	if len(all) < 2 {
		return ""
	}
	return "\nIts last lines:\n  " + strings.Join(all, "\n  ")
}
