// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-dev/serin/internal/local"
	"github.com/serin-dev/serin/internal/local/models"
	"github.com/serin-dev/serin/internal/store"
)

//go:embed demo/sklearn-iris.yaml
var firstManifest string

//go:embed demo/iris-input.json
var irisInput string

func demoCommand() *cobra.Command {
	var keep bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Watch a first model being served, from nothing to a prediction",
		Long: `Run Serin in a temporary directory on free ports, with a store of two small iris
models, and go through the first InferenceService step by step: every command is
shown, then run. Nothing is downloaded, and nothing is left behind.`,
		Example: `  serin demo
  serin demo --keep     leave it running, to go on by hand`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runDemo(c.Context(), c.OutOrStdout(), keep) },
	}
	c.Flags().BoolVar(&keep, "keep", false, "leave it running at the end, until Ctrl-C")
	return c
}

// demo is one run of the walk-through.
type demo struct {
	out        io.Writer
	kubeconfig string
	router     string // host:port
}

// runDemo starts everything, goes through the steps and cleans up.
func runDemo(ctx context.Context, out io.Writer, keep bool) (err error) {
	dir, err := os.MkdirTemp("", "serin-demo-")
	if err != nil {
		return fmt.Errorf("make a temporary directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	address, err := store.Start(ctx, models.Bucket())
	if err != nil {
		return fmt.Errorf("start the store of models: %w", err)
	}
	// The demo's models only: a developer's own emulator is not asked.
	if err := os.Setenv("STORAGE_EMULATOR_HOST", address); err != nil {
		return err
	}
	f := upFlags{dir: dir, domain: "example.com", logLevel: "error"}
	c, open, err := f.config(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.Close()) }()

	fmt.Fprintln(out, "Starting a Kubernetes API, Serin's controller and its router on this machine ...")
	start := time.Now()
	c.Progress = func(step string) { fmt.Fprintf(out, "  %5.1fs  %s\n", time.Since(start).Seconds(), step) }
	ready := make(chan struct{})
	c.Ready = func() { close(ready) }
	run, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- local.Run(run, c) }()
	select {
	case <-ready:
	case err := <-ended:
		stop()
		return err
	}
	fmt.Fprintf(out, "  %5.1fs  serin is up\n", time.Since(start).Seconds())

	d := demo{out: out, kubeconfig: f.kubeconfig, router: c.Router.Addr().String()}
	err = d.steps(ctx, c.Router.Addr().(*net.TCPAddr))
	if err == nil && keep {
		fmt.Fprintln(out, "\nIt is yours now; Ctrl-C ends it.")
		fmt.Fprint(out, f.hints(c))
		<-ctx.Done()
	}
	fmt.Fprintln(out, "\nCleaning up ...")
	stop()
	err = errors.Join(err, <-ended)
	if err == nil {
		fmt.Fprintf(out, "Done in %.0f seconds. Next: bin/serin up, and docs/tutorial.md.\n", time.Since(start).Seconds())
	}
	return err
}

// steps is the first-InferenceService tutorial.
func (d *demo) steps(ctx context.Context, router *net.TCPAddr) error {
	d.say("A namespace, and a scikit-learn model from a bucket:")
	if err := d.kubectl(ctx, "", "create", "namespace", "kserve-test"); err != nil {
		return err
	}
	if err := d.kubectl(ctx, firstManifest, "apply", "-n", "kserve-test", "-f", "-"); err != nil {
		return err
	}
	d.say("Waiting until it is ready:")
	if err := d.waitReady(ctx); err != nil {
		return err
	}
	for _, table := range [][]string{
		{"get", "isvc", "sklearn-iris", "-n", "kserve-test"},
		{"get", "pods", "-n", "kserve-test"},
	} {
		if err := d.kubectl(ctx, "", table...); err != nil {
			return err
		}
	}
	d.say("Two flowers, measured in centimetres. Which iris are they?")
	fmt.Fprintf(d.out, "$ export INGRESS_HOST=%s INGRESS_PORT=%d\n", router.IP, router.Port)
	return d.predict(ctx)
}

func (d *demo) say(text string) { fmt.Fprintf(d.out, "\n# %s\n", text) }

// kubectl shows a command and runs it: this very program is kubectl.
func (d *demo) kubectl(ctx context.Context, stdin string, args ...string) error {
	fmt.Fprintf(d.out, "$ kubectl %s", strings.Join(args, " "))
	if stdin != "" {
		fmt.Fprintf(d.out, " <<EOF\n%sEOF", stdin)
	}
	fmt.Fprintln(d.out)
	out, err := d.run(ctx, stdin, args...)
	fmt.Fprint(d.out, out)
	return err
}

func (d *demo) run(ctx context.Context, stdin string, args ...string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find serin itself: %w", err)
	}
	c := exec.CommandContext(ctx, self, append([]string{"kubectl"}, args...)...)
	c.Env = append(os.Environ(), "KUBECONFIG="+d.kubeconfig)
	c.Stdin = strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), err)
	}
	return string(out), nil
}

// readyTimeout is far more than a small model needs on a slow machine.
const readyTimeout = 2 * time.Minute

// waitReady shows what the service says of itself until it is ready.
func (d *demo) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	start, shown := time.Now(), ""
	for {
		out, err := d.run(ctx, "", "get", "isvc", "sklearn-iris", "-n", "kserve-test", "-o",
			`jsonpath=Ready={.status.conditions[?(@.type=="Ready")].status}, model {.status.modelStatus.states.targetModelState}{" "}{.status.modelStatus.lastFailureInfo.message}`)
		if err != nil {
			return fmt.Errorf("%w; it last said: %s", err, shown)
		}
		if out != shown {
			shown = out
			out = strings.Replace(out, "Ready=, model ", "accepted", 1) // nobody has looked at it yet
			fmt.Fprintf(d.out, "  %5.1fs  %s\n", time.Since(start).Seconds(), strings.TrimSpace(out))
		}
		if strings.HasPrefix(out, "Ready=True") {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("sklearn-iris did not become ready: %w; it last said: %s", ctx.Err(), shown)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// predict sends the tutorial's request and checks its answer.
func (d *demo) predict(ctx context.Context) error {
	const host, path = "sklearn-iris.kserve-test.example.com", "/v1/models/sklearn-iris:predict"
	fmt.Fprintf(d.out, "$ cat iris-input.json\n%s", irisInput)
	fmt.Fprintf(d.out, "$ curl -H \"Host: %s\" -H \"Content-Type: application/json\" \\\n    http://${INGRESS_HOST}:${INGRESS_PORT}%s -d @./iris-input.json\n", host, path)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+d.router+path, bytes.NewBufferString(irisInput))
	if err != nil {
		return err
	}
	req.Host = host
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "%s\n", body)
	if got := strings.TrimSpace(string(body)); res.StatusCode != http.StatusOK || got != `{"predictions":[1,1]}` {
		return fmt.Errorf("the model answered %s %s, not {\"predictions\":[1,1]}", res.Status, got)
	}
	fmt.Fprintf(d.out, "# Both are versicolor. Answered by revision %s.\n", res.Header.Get("Serin-Revision"))
	return nil
}
