// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

// tutorial plays a page: it saves blocks that a comment names as files, runs the
// commands in console blocks, and compares their output with the page.
func tutorial(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tutorial PAGE")
	}
	page, err := os.ReadFile(filepath.Join(ts.Getenv("DOCS"), args[0]))
	ts.Check(err)
	commands := 0
	for _, b := range blocks(string(page)) {
		switch {
		case b.file != "":
			ts.Check(os.WriteFile(ts.MkAbs(b.file), []byte(b.text), 0o600))
		case b.language == "console":
			for _, c := range strings.Split("\n"+b.text, "\n$ ")[1:] {
				command, want, _ := strings.Cut(c, "\n")
				runLine(ts, command, want)
				commands++
			}
		}
	}
	if commands == 0 {
		ts.Fatalf("%s has no commands", args[0])
	}
}

func runLine(ts *testscript.TestScript, command, want string) {
	ts.Logf("$ %s", command)
	err := ts.Exec("sh", "-c", command+" 2>&1")
	got := ts.ReadFile("stdout")
	// A failing command is part of the page when it shows the message.
	if diff := cmp.Diff(stable(want), stable(got)); diff != "" {
		ts.Fatalf("$ %s\n%v; the page shows (-), it printed (+):\n%s", command, err, diff)
	}
}

type block struct{ file, language, text string }

var fence = regexp.MustCompile("(?ms)(?:^<!-- file: (\\S+) -->\n)?^```(\\w+)\n(.*?)^```$")

func blocks(page string) (bs []block) {
	for _, m := range fence.FindAllStringSubmatch(page, -1) {
		bs = append(bs, block{m[1], m[2], m[3]})
	}
	return bs
}

// What differs from run to run: ages, the random ends of Pods' names, and so
// the width of columns.
var unstable = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`\b(\d+[dhm])*\d+s\b`), "0s"},
	{regexp.MustCompile(`-deployment-[a-z0-9]+-[a-z0-9]{5}\b`), "-deployment-x-x"},
	{regexp.MustCompile(`[ \t\r]+`), " "},
}

func stable(s string) []string {
	for _, u := range unstable {
		s = u.re.ReplaceAllString(s, u.with)
	}
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return lines
}
