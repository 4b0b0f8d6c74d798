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

// wantKubeconfig ends a kubectl that has no kubeconfig when it is about to ask
// localhost:8080, as kubectl does then. One that asks nobody goes on.
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

// nowhere is the way to an API for which there is no kubeconfig.
type nowhere string

// RoundTrip says so and ends the program: kubectl would try again.
func (file nowhere) RoundTrip(*http.Request) (*http.Response, error) {
	fmt.Fprintf(os.Stderr, "serin: there is no kubeconfig %s yet: 'serin up' writes one, or choose another with --kubeconfig or KUBECONFIG\n", string(file))
	os.Exit(1)
	return nil, nil
}

// kubeconfig is the file of the Serin that commands talk to, unless they are
// told otherwise.
func kubeconfig() (string, error) {
	dir, err := dataDir()
	return local.Kubeconfig(dir), err
}

// dataDir is the directory of the Serin that commands talk to.
func dataDir() (string, error) {
	if d := os.Getenv("SERIN_DATA_DIR"); d != "" {
		return d, nil
	}
	return local.DefaultDir()
}
