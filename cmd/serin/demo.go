// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/local"
	"github.com/serin-dev/serin/internal/local/bucket"
	"github.com/serin-dev/serin/internal/local/models"
)

// demoFiles are the manifests of the walk-through, and a request.
//
//go:embed demo
var demoFiles embed.FS

func demoCommand() *cobra.Command {
	var keep bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Watch models being rolled out, promoted and rolled back",
		Long: `Run Serin in a temporary directory on free ports, with a storage server that has two
small iris models. Go through a rollout step by step: a first model, a canary with a
thousand counted requests, its promotion, a rollback, and tags for either revision.
The demo prints each command, runs it and checks the result. It downloads nothing
and leaves nothing behind.`,
		Example: `  serin demo
  serin demo --keep     leave it running, to continue by hand`,
		RunE: func(c *cobra.Command, _ []string) error { return runDemo(c.Context(), c.OutOrStdout(), keep) },
	}
	c.Flags().BoolVar(&keep, "keep", false, "leave it running at the end, until Ctrl-C")
	return c
}

// demo is one run of the walk-through.
type demo struct {
	out        io.Writer
	pace       time.Duration // pause between two steps, for a reader
	dir        string        // where commands run
	kubeconfig string
	router     *net.TCPAddr
	services   dynamic.ResourceInterface
}

// runDemo runs the demo in a temporary directory, and removes it.
func runDemo(ctx context.Context, out io.Writer, keep bool) (err error) {
	start := time.Now()
	dir, err := os.MkdirTemp("", "serin-demo-")
	if err != nil {
		return fmt.Errorf("make a temporary directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.CopyFS(dir, demoFiles); err != nil {
		return fmt.Errorf("write the demo's manifests: %w", err)
	}
	address, err := bucket.Start(ctx, models.Bucket())
	if err != nil {
		return fmt.Errorf("start the store of models: %w", err)
	}
	// The demo's own server of models, and not a developer's emulator.
	if err := os.Setenv("STORAGE_EMULATOR_HOST", address); err != nil {
		return err
	}
	f := upFlags{dir: filepath.Join(dir, "data"), domain: demoDomain, logLevel: "error"}
	c, open, err := f.config(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.Close()) }()

	d := demo{
		out:        out,
		pace:       pace(out),
		dir:        filepath.Join(dir, "demo"),
		kubeconfig: f.kubeconfig,
		router:     c.Router.Addr().(*net.TCPAddr),
	}
	err = d.during(ctx, c, func() error {
		if err := d.play(ctx); err != nil || !keep {
			return err
		}
		fmt.Fprintf(out, "\nSerin keeps running. The manifests are in %s.\n%s", d.dir, d.hints())
		<-ctx.Done()
		return nil
	})
	if err == nil {
		fmt.Fprintf(out, "Done in %.0f seconds. Next: %s up, and docs/tutorial.md.\n", time.Since(start).Seconds(), os.Args[0])
	}
	return err
}

// during starts a Serin, does something with it, and stops it.
func (d *demo) during(ctx context.Context, c local.Config, do func() error) error {
	fmt.Fprintln(d.out, "Starting a Kubernetes API, Serin's controller and its router on this machine ...")
	start := time.Now()
	c.Progress = func(step string) { fmt.Fprintf(d.out, "  %5.1fs  %s\n", time.Since(start).Seconds(), step) }
	ready := make(chan struct{})
	c.Ready = func() { close(ready) }
	run, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- local.Run(run, c) }()
	select {
	case <-ready:
	case err := <-ended:
		return errors.Join(err, ctx.Err())
	}
	c.Progress("serin is up")
	err := d.connect()
	if err == nil {
		err = do()
	}
	fmt.Fprintln(d.out, "\nCleaning up ...")
	stop()
	return errors.Join(err, <-ended)
}

func (d *demo) connect() error {
	config, err := clientcmd.BuildConfigFromFlags("", d.kubeconfig)
	if err != nil {
		return fmt.Errorf("read the demo's kubeconfig: %w", err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client for InferenceServices: %w", err)
	}
	d.services = client.Resource(v1beta1.Resource).Namespace(demoNamespace)
	return nil
}

// pace returns the pause between two steps: none unless a user reads.
func pace(out io.Writer) time.Duration {
	f, ok := out.(*os.File)
	if !ok {
		return 0
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return 0
	}
	return 4 * time.Second
}
