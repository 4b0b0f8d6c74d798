// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/plugin"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"

	"github.com/serin-dev/serin/internal/local"
)

func kubectlCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl ...",
		Short: "The real kubectl, talking to the Serin on this machine",
		Long: `The real kubectl with everything it can do. Unless --kubeconfig or the variable
KUBECONFIG says otherwise, it talks to the Serin whose state is in the directory
named by SERIN_DATA_DIR, or in the default one.`,
		Example: `  serin kubectl get isvc -A
  serin kubectl apply -f iris.yaml`,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if os.Getenv("KUBECONFIG") == "" {
				file, err := kubeconfig()
				if err != nil {
					return err
				}
				if err := os.Setenv("KUBECONFIG", file); err != nil {
					return fmt.Errorf("set KUBECONFIG: %w", err)
				}
			}
			kubectl(args)
			return nil
		},
	}
}

// kubectl runs kubectl as a program of that name would run, exit code included.
func kubectl(args []string) {
	os.Args = append([]string{"kubectl"}, args...)
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	flags := genericclioptions.NewConfigFlags(true).WithWarningPrinter(streams)
	flags.WrapConfigFn = func(c *rest.Config) *rest.Config {
		wantKubeconfig(flags, c)
		return c
	}
	c := cmd.NewDefaultKubectlCommandWithArgs(cmd.KubectlOptions{
		PluginHandler: cmd.NewDefaultPluginHandler(plugin.ValidPluginFilenamePrefixes),
		Arguments:     os.Args,
		ConfigFlags:   flags,
		IOStreams:     streams,
	})
	c.SetArgs(args)
	if err := c.Execute(); err != nil {
		cmdutil.CheckErr(err) // prints and exits as kubectl does
	}
}

// wantKubeconfig makes a kubectl without a kubeconfig fail at its first request,
// which kubectl would send to localhost:8080. Commands without requests work.
func wantKubeconfig(flags *genericclioptions.ConfigFlags, c *rest.Config) {
	raw, err := flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil || !clientcmdapi.IsConfigEmpty(&raw) || *flags.APIServer != "" || c.BearerTokenFile != "" { // as Pods have it
		return
	}
	file := *flags.KubeConfig
	if file == "" {
		file = os.Getenv(clientcmd.RecommendedConfigPathEnvVar)
	}
	c.Wrap(func(http.RoundTripper) http.RoundTripper { return nowhere(file) })
}

// nowhere is the transport of a kubectl without a kubeconfig.
type nowhere string

// RoundTrip prints an error and ends the program, because kubectl would retry.
func (file nowhere) RoundTrip(*http.Request) (*http.Response, error) {
	fmt.Fprintf(os.Stderr, "serin: there is no kubeconfig %s yet: 'serin up' writes one, or choose another with --kubeconfig or KUBECONFIG\n", string(file))
	os.Exit(1)
	return nil, nil
}

// kubeconfig returns the default kubeconfig of commands: that of the local Serin.
func kubeconfig() (string, error) {
	dir, err := dataDir()
	return local.Kubeconfig(dir), err
}

// dataDir returns the data directory of the local Serin.
func dataDir() (string, error) {
	if d := os.Getenv("SERIN_DATA_DIR"); d != "" {
		return d, nil
	}
	return local.DefaultDir()
}
