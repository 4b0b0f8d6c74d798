// SPDX-License-Identifier: Apache-2.0

// Command serin is the user's program: it runs Serin on this machine, speaks
// to it with the real kubectl, and shows what it does.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/serin-dev/serin/internal/cli"
	"github.com/serin-dev/serin/internal/cli/install"
)

func main() {
	// A second signal while stopping kills the process the ordinary way.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, command()))
}

func command() *cobra.Command {
	// Packages of Kubernetes register flags for every program that links them.
	pflag.CommandLine = pflag.NewFlagSet("serin", pflag.ContinueOnError)
	c := &cobra.Command{
		Use:   "serin",
		Short: "Safe rollouts for machine-learning models",
		Long: `Serin serves models through KServe's InferenceService API and rolls out their
changes safely. On this machine it needs no containers, no root and no network.`,
		Example: `  serin demo               see it work, in a minute
  serin up                 run it here, and use it with kubectl
  serin kubectl get isvc   the real kubectl, with the right kubeconfig
  serin rollout --help     see, promote, abort and undo rollouts
  serin install --help     install it in a cluster`,
		Version:           version,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	c.AddCommand(upCommand(), demoCommand(), kubectlCommand(),
		cli.Rollout(cli.Options{Program: "serin", Kubeconfig: kubeconfig}), migrateCommand(), versionCommand())
	c.AddCommand(install.Commands("serin", version)...)
	return c
}
