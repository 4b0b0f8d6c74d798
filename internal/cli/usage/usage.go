// SPDX-License-Identifier: Apache-2.0

// Package usage makes a program reject command lines that it does not understand,
// with exit code 2 and one sentence, before it does anything. A typing error in a
// script must not pass for success.
//
// Strict walks the tree of commands, so that commands need no code for it. A
// command group without a subcommand prints its help to standard error and fails,
// as kubectl's do. The program without arguments prints its help and succeeds, as
// `kubectl` does.
package usage

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Code is the exit code of a program that was used wrongly.
const Code = 2

// Error is an error of the command line.
type Error struct{ err error }

func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.err }

// Wrap returns err as an error of usage. Nil stays nil.
func Wrap(err error) error {
	if err == nil {
		return nil
	}
	return &Error{err}
}

// Errorf returns an error of usage.
func Errorf(format string, args ...any) error { return &Error{fmt.Errorf(format, args...)} }

// ExitCode is 2 for errors of usage and 1 for all others.
func ExitCode(err error) int {
	if _, ok := errors.AsType[*Error](err); ok {
		return Code
	}
	return 1
}

// Strict makes a program refuse commands, arguments and flags that it does not
// have.
func Strict(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	// A group gets a body here, which its help must not show.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}", 1))
	root.SetFlagErrorFunc(flagError)
	strict(root)
}

func strict(c *cobra.Command) {
	for _, sub := range c.Commands() {
		strict(sub)
	}
	c.SuggestionsMinimumDistance = 2
	switch {
	case c.DisableFlagParsing: // another program's arguments
		return
	case c.Name() == "help" && c.HasParent():
		helpOf(c)
		return
	case c.HasSubCommands() && !c.Runnable():
		c.Args, c.RunE = group, showHelp
	case c.Args == nil:
		c.Args = None
	}
	check := c.Args
	c.Args = func(c *cobra.Command, args []string) error { return Wrap(check(c, args)) }
}

// group is the body of a command group: it requires the name of a subcommand.
func group(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return unknown(c, args)
}

// showHelp is the body of a group that was called without a subcommand.
func showHelp(c *cobra.Command, _ []string) error {
	if !c.HasParent() {
		return c.Help()
	}
	c.SetOut(c.ErrOrStderr())
	if err := c.Help(); err != nil {
		return err
	}
	return Errorf("a command is missing: %s COMMAND", c.CommandPath())
}

// helpOf makes the command `help` refuse unknown commands.
func helpOf(c *cobra.Command) {
	c.Run = nil
	c.RunE = func(c *cobra.Command, args []string) error {
		about, rest, err := c.Root().Find(args)
		if err != nil || about == nil || len(rest) > 0 && !about.DisableFlagParsing {
			if about == nil {
				about = c.Root()
			}
			return unknown(about, rest)
		}
		about.InitDefaultHelpFlag()
		about.InitDefaultVersionFlag()
		return about.Help()
	}
}

// unknown returns the error that a command has no such subcommand.
func unknown(c *cobra.Command, args []string) error {
	if !c.HasSubCommands() {
		return None(c, args)
	}
	meant := c.SuggestionsFor(args[0])
	var all []string
	for _, sub := range c.Commands() {
		if !sub.IsAvailableCommand() {
			continue
		}
		all = append(all, sub.Name())
		if slices.Contains(args[1:], sub.Name()) { // the other way round
			meant = append(meant, sub.Name())
		}
	}
	return Errorf("there is no command %q%s", c.CommandPath()+" "+args[0], meaning(meant, "; use one of "+strings.Join(all, ", ")))
}

// meaning returns the question "did you mean", or otherwise if meant is empty.
func meaning(meant []string, otherwise string) string {
	if len(meant) == 0 {
		return otherwise
	}
	slices.Sort(meant)
	return ": did you mean " + strings.Join(slices.Compact(meant), " or ") + "?"
}

// None accepts no arguments.
func None(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return Errorf("%s takes no arguments, but %q is one (see %[1]s --help)", c.CommandPath(), args[0])
}

// flagError turns an error of pflag into a sentence.
func flagError(c *cobra.Command, err error) error {
	// If the command does not exist, that is the error, and not the flag.
	if args := c.Flags().Args(); len(args) > 0 && c.HasSubCommands() {
		return unknown(c, args)
	}
	see := fmt.Sprintf(" (see %s --help)", c.CommandPath())
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return Errorf("--%s %s: %w", e.GetFlag().Name, e.GetValue(), errors.Unwrap(e))
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return Errorf("--%s needs a value%s", e.GetFlag().Name, see)
	}
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		short := e.GetSpecifiedShortnames()
		if short != "" && short[0] >= '0' && short[0] <= '9' { // a number below zero, which only its command can judge
			if err := c.Args(c, append(slices.Clone(c.Flags().Args()), "-"+short)); err != nil {
				return err
			}
		}
		if short != "" {
			return Errorf("there is no flag -%s%s", short, see)
		}
		return Errorf("there is no flag --%s%s", e.GetSpecifiedName(), meaning(flagsLike(c, e.GetSpecifiedName()), see))
	}
	return Errorf("%w%s", err, see)
}

// flagsLike are flags of a command with a name like another. That is cobra's
// own search, which knows commands only.
func flagsLike(c *cobra.Command, name string) []string {
	names := cobra.Command{SuggestionsMinimumDistance: 2}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
		}
	})
	meant := names.SuggestionsFor(name)
	for i := range meant {
		meant[i] = "--" + meant[i]
	}
	return meant
}
