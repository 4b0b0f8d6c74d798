// SPDX-License-Identifier: Apache-2.0

// Package cli is the command `rollout`, which programs hang below their own
// name: `serin rollout promote iris`, `kubectl serin rollout promote iris`.
//
// A command reads the service and what belongs to it (service.go), asks the
// pure package action what to do or to say, and writes at most one thing: a
// merge patch of the InferenceService's spec (change.go). It holds no state
// and decides nothing that action could decide. What it shows of requests comes
// from the routers' reports (live.go): `serin up` leaves their address in the
// kubeconfig, and a cluster's API server passes requests on to them. Without
// them everything else works.
//
// Exit codes are for scripts: 0 for what was asked for, 1 for failure, 2 for a
// rollout that is still in progress, and for what is no command of ours: that
// says why on standard error, and nothing on standard output.
package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/cli/terminal"
	"github.com/serin-dev/serin/internal/cli/usage"
)

// Options are what differs between the programs that have these commands.
type Options struct {
	// Program is what people type before `rollout`.
	Program string
	// Kubeconfig names the file to use if neither a flag nor the variable
	// KUBECONFIG does. Nil means kubectl's own default.
	Kubeconfig func() (string, error)
}

// Exit codes.
const (
	exitFailed      = 1
	exitInProgress  = 2
	exitInterrupted = 130 // as shells have it
)

// exit ends a program with a code. What there is to say has been said, unless
// there is an error.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

// Main runs a program's root command and returns its exit code.
func Main(ctx context.Context, root *cobra.Command) int {
	usage.Strict(root)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	if err.Error() != "" {
		fmt.Fprintf(root.ErrOrStderr(), "%s: %v\n", root.DisplayName(), err)
	}
	if e, ok := errors.AsType[exit](err); ok {
		return e.code
	}
	return usage.ExitCode(err)
}

// Rollout is the command and all that is below it.
func Rollout(o Options) *cobra.Command {
	t := &target{options: o}
	c := &cobra.Command{
		Use:   "rollout",
		Short: "See, promote, abort and undo the rollout of a model",
		Long: `See the state of an InferenceService's rollout, and control it.

Each command that changes something changes only the spec, as you could do by
hand: --dry-run prints how. The controller decides what the change means for the
traffic, as for any other change. ISVC is the name of a service; the forms
isvc/NAME and inferenceservice/NAME work too.`,
		Example: `status iris
watch iris
promote iris
undo iris`,
	}
	t.addFlags(c.PersistentFlags())
	c.AddCommand(
		statusCommand(t),
		watchCommand(t),
		historyCommand(t),
	)
	c.AddCommand(changeCommands(t)...)
	for _, sub := range c.Commands() {
		sub.ValidArgsFunction = t.completeService
		sub.Example = terminal.Examples(o.Program+" rollout", sub.Example)
	}
	c.Example = terminal.Examples(o.Program+" rollout", c.Example)
	return c
}

// serviceName reads the argument ISVC.
func serviceName(arg string) (string, error) {
	kind, name, both := strings.Cut(arg, "/")
	if !both {
		return arg, nil
	}
	switch strings.ToLower(kind) {
	case "isvc", "inferenceservice", "inferenceservices", "inferenceservice." + v1beta1.GroupVersion.Group, "inferenceservices." + v1beta1.GroupVersion.Group:
		return name, nil
	}
	return "", fmt.Errorf("%s is not an InferenceService: use its name alone, or isvc/NAME", arg)
}

// oneService wants exactly one ISVC, and says so in a sentence.
func oneService(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("name one InferenceService: %s ISVC (see --help)", c.CommandPath())
	}
	return nil
}
