// SPDX-License-Identifier: Apache-2.0

// Package usagetest calls every command of a program with arguments and flags
// that it must reject. It walks the tree of commands, so it covers commands and
// flags that are added later.
package usagetest

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/serin-dev/serin/internal/cli/usage"
)

// nonsense is no command, no flag and no value of any program.
const nonsense = "frobnicate"

// wrong has, for each kind of flag, values that it must reject. pflag's own kinds
// that take any number are missing: flags must use those of package setting.
var wrong = map[string][]string{
	"port":       {"-1", "65536", "1.5", "abc", ""},
	"number":     {"-9", "1.5", "abc", "", "99999999999999999999"},
	"duration":   {"-1s", "5", "abc", ""},
	"domain":     {"not a domain!", "-a", "a..b", ""},
	"name":       {"not a name", "a/b"},
	"address":    {"nowhere", ":65536", "a:b"},
	"host":       {"a:80", "not a host"},
	"folder":     {"relative", "/a/../b"},
	"word":       {nonsense, ""},
	"words":      {nonsense, ""},
	"NAME=VALUE": {nonsense, "=b"},
}

// free are kinds that take any text.
var free = []string{"string", "stringSlice", "stringArray", "bool"}

// Check fails unless every command refuses what it does not understand, with
// exit code 2, a sentence, and nothing on standard output. It runs none.
func Check(t *testing.T, program func() *cobra.Command) {
	t.Helper()
	root := program()
	usage.Strict(root)
	for _, c := range tree(root) {
		path := strings.Fields(c.CommandPath())[len(strings.Fields(root.CommandPath())):]
		t.Run(strings.Join(append([]string{root.Name()}, path...), " "), func(t *testing.T) {
			if c.DisableFlagParsing {
				t.Log("its arguments are another program's")
				return
			}
			refuses := func(args ...string) {
				t.Helper()
				refused(t, program(), append(slices.Clone(path), args...))
			}
			refuses("--" + nonsense)
			if c.HasParent() || !c.HasSubCommands() {
				refuses(slices.Repeat([]string{nonsense}, 5)...)
			}
			if c.HasSubCommands() {
				group(t, c, refuses)
			}
			c.Flags().VisitAll(func(f *pflag.Flag) { flag(t, f, refuses) })
		})
	}
}

// group tries the names of the commands below one.
func group(t *testing.T, c *cobra.Command, refuses func(...string)) {
	t.Helper()
	if c.HasParent() {
		refuses()
	}
	for _, sub := range c.Commands() {
		refuses(sub.Name() + "x")
		refuses(nonsense, sub.Name())
	}
}

// flag tries values that one must not take.
func flag(t *testing.T, f *pflag.Flag, refuses func(...string)) {
	t.Helper()
	kind := f.Value.Type()
	values, known := wrong[kind]
	if !known && !slices.Contains(free, kind) {
		t.Errorf("--%s takes any %s: give it a value of package setting, which knows its bounds", f.Name, kind)
	}
	if kind == "bool" {
		values = []string{nonsense}
	}
	for _, v := range values {
		refuses("--" + f.Name + "=" + v)
	}
}

// tree is a command and all below it.
func tree(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		all = append(all, tree(sub)...)
	}
	return all
}

func refused(t *testing.T, root *cobra.Command, args []string) {
	t.Helper()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(new(bytes.Buffer))
	usage.Strict(root)
	for _, c := range tree(root) {
		if !c.HasSubCommands() && c.Name() != "help" {
			c.Run, c.RunE = nil, func(c *cobra.Command, _ []string) error {
				t.Errorf("%s ran with %q", c.CommandPath(), args)
				return nil
			}
		}
	}
	root.SetArgs(args)
	err := root.Execute()
	switch {
	case err == nil:
		t.Errorf("%q succeeds", args)
	case usage.ExitCode(err) != usage.Code || !strings.Contains(err.Error(), " "):
		t.Errorf("%q ends with exit code %d: %v", args, usage.ExitCode(err), err)
	case out.Len() > 0:
		t.Errorf("%q writes to standard output:\n%s", args, out.String())
	}
}
