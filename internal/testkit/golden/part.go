// SPDX-License-Identifier: Apache-2.0

package golden

import (
	"os"
	"strings"
	"testing"
)

// Part fails the test if what follows the line heading in a file, up to the next empty
// line but one, is not got. With -update it writes got there.
func Part(t *testing.T, file, heading, got string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(content), "\n"+heading+"\n\n")
	if !ok {
		t.Fatalf("%s has no line %s", file, heading)
	}
	part, after, _ := strings.Cut(rest, "\n\n")
	part = strings.TrimSuffix(part, "\n") + "\n"
	if *update && part != got {
		write(t, file, []byte(before+"\n"+heading+"\n\n"+got+strings.TrimPrefix("\n"+after, "\n\n")))
		part = got
	}
	compare(t, file, part, got)
}
