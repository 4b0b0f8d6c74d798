// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func (d *demo) say(text string) { fmt.Fprintf(d.out, "\n# %s\n", text) }

func (d *demo) command(format string, args ...any) { fmt.Fprintf(d.out, "$ "+format+"\n", args...) }

// kubectl prints a command, runs it and prints its output.
func (d *demo) kubectl(ctx context.Context, args ...string) error {
	d.command("kubectl %s", strings.Join(args, " "))
	out, err := d.run(ctx, args...)
	fmt.Fprint(d.out, out)
	return err
}

// run runs kubectl: this very program is one.
func (d *demo) run(ctx context.Context, args ...string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find serin itself: %w", err)
	}
	c := exec.CommandContext(ctx, self, append([]string{"kubectl"}, args...)...)
	c.Dir = d.dir
	c.Env = append(os.Environ(), "KUBECONFIG="+d.kubeconfig)
	out, err := c.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), err)
	}
	return string(out), nil
}

// component shows the status as the walk-through does, indented as by jq.
func (d *demo) component(ctx context.Context) error {
	d.command(`kubectl get isvc %s -ojsonpath="{.status.components.predictor}" | jq`, demoService)
	out, err := d.run(ctx, "get", "isvc", demoService, "-ojsonpath={.status.components.predictor}")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(out), "", "  "); err != nil {
		return fmt.Errorf("read the status of %s: %w", demoService, err)
	}
	fmt.Fprintln(d.out, b.String())
	return nil
}

// apply applies a manifest, waits for its effect, and prints the tables that a
// user would look at.
func (d *demo) apply(ctx context.Context, file, traffic string) error {
	if err := d.kubectl(ctx, "apply", "-f", file); err != nil {
		return err
	}
	if err := d.settled(ctx, traffic); err != nil {
		return err
	}
	if err := d.kubectl(ctx, "get", "isvc", demoService); err != nil {
		return err
	}
	return d.kubectl(ctx, "get", "pods")
}

func (d *demo) cat(file string) error {
	text, err := d.read(file)
	if err != nil {
		return err
	}
	d.command("cat %s", file)
	fmt.Fprint(d.out, text)
	return nil
}

func (d *demo) read(file string) (string, error) {
	text, err := os.ReadFile(filepath.Join(d.dir, file))
	if err != nil {
		return "", fmt.Errorf("read the demo's files: %w", err)
	}
	return string(text), nil
}

// diff prints the difference between a manifest and the one before.
func (d *demo) diff(before, after string) error {
	was, err := d.read(before)
	if err != nil {
		return err
	}
	is, err := d.read(after)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "  %s, compared with %s:\n%s", after, before, changes(was, is))
	return nil
}

// changes lists the lines that only one of two texts has. It is enough for
// manifests that hold no line twice.
func changes(before, after string) string {
	was, is := slices.Collect(strings.Lines(before)), slices.Collect(strings.Lines(after))
	var b strings.Builder
	for _, l := range was {
		if !slices.Contains(is, l) {
			b.WriteString("  - " + l)
		}
	}
	for _, l := range is {
		if !slices.Contains(was, l) {
			b.WriteString("  + " + l)
		}
	}
	return b.String()
}

const barWidth = 50

// bars draws how many requests each revision answered.
func bars(counts map[string]int) string {
	total, width := 0, 0
	for name, n := range counts {
		total += n
		width = max(width, len(name))
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		n := counts[name]
		fmt.Fprintf(&b, "  %-*s  %-*s %d\n", width, name, barWidth, strings.Repeat("█", (n*barWidth+total-1)/total), n)
	}
	return b.String()
}
