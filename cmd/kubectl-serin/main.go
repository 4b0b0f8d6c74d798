// SPDX-License-Identifier: Apache-2.0

// Command kubectl-serin is a plugin of kubectl: with it on the PATH,
// `kubectl serin install` puts Serin into any cluster, and `kubectl serin rollout`
// shows and changes rollouts there.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/serin-dev/serin/internal/cli"
	"github.com/serin-dev/serin/internal/cli/install"
)

// version is set by the linker.
var version = "development"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	os.Exit(cli.Main(ctx, command()))
}

func command() *cobra.Command {
	const name = "kubectl serin"
	c := &cobra.Command{
		Use:               "kubectl-serin",
		Short:             "Safe rollouts for machine-learning models",
		Example:           "  " + name + " rollout status iris",
		Version:           version,
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: name},
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	c.AddCommand(cli.Rollout(cli.Options{Program: name}))
	c.AddCommand(install.Commands(name, version)...)
	return c
}
