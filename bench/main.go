// SPDX-License-Identifier: Apache-2.0

// Command bench runs the measuring programs in the folders below it, compares
// their numbers with the budgets in limits.yaml, and fails if one is exceeded.
//
//	go run ./bench                        # all but models and scale
//	go run ./bench router idle            # some
//	go run ./bench router -rounds 1       # one, with flags of its own
//	go run ./bench -update                # and write the numbers into limits.yaml
//	go run ./bench -docs                  # write the documents that quote limits.yaml
//
// It runs in the root of the repository and needs the built programs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/serin-dev/serin/bench/internal/report"
)

//go:generate go -C .. run ./bench -docs

// bench is a measuring program and how it is run.
type bench struct {
	name    string
	command []string
}

var benches = []bench{
	{"up", []string{"./bench/up"}},
	{"coldstart", []string{"./bench/coldstart"}},
	{"router", []string{"./bench/router"}},
	{"idle", []string{"./bench/router", "-idle", "9000", "-rounds", "3"}},
	{"rollout", []string{"./bench/rollout", "-cycles", "20", "-mode", "plain,plain,plain"}},
	{"work", []string{"./bench/scale", "-work", "-services", "300"}},
	{models, []string{"./bench/models"}},
	{scale, []string{"./bench/scale"}},
}

// These run only if they are named: models installs its peers, and scale takes half
// an hour.
const (
	models = "models"
	scale  = "scale"
)

const (
	limitsFile = "bench/limits.yaml"
	root       = "."
)

func main() {
	update := flag.Bool("update", false, "write the numbers into "+limitsFile+" and the documents that quote it")
	docs := flag.Bool("docs", false, "only write the documents that quote "+limitsFile)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, flag.Args(), *update, *docs)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, update, docs bool) error {
	all, err := readLimits(limitsFile)
	if err != nil {
		return err
	}
	if docs {
		return all.writeDocuments(root)
	}
	chosen, flags, err := choose(args)
	if err != nil {
		return err
	}
	fmt.Printf("%s, load average %s\n", machine(), loadAverage())
	var r report.Report
	var errs []error
	for _, b := range chosen {
		measured, err := b.measure(ctx, flags)
		r = append(r, measured...)
		errs = append(errs, err)
		if ctx.Err() != nil {
			return errors.Join(errs...)
		}
	}
	r = slices.DeleteFunc(r, func(s report.Series) bool {
		unknown := all.find(s.Name) == nil
		if unknown {
			errs = append(errs, fmt.Errorf("%s is not in %s", s.Name, limitsFile))
		}
		return unknown
	})
	errs = append(errs, all.compare(os.Stdout, r))
	if update {
		all.update(r)
		errs = append(errs, all.write(limitsFile), all.writeDocuments(root))
	}
	return errors.Join(errs...)
}

// choose returns the benches that the arguments name, and further flags for
// them.
func choose(args []string) (chosen []bench, flags []string, err error) {
	n := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "-") })
	if n >= 0 {
		args, flags = args[:n], args[n:]
	}
	for _, name := range args {
		i := slices.IndexFunc(benches, func(b bench) bool { return b.name == name })
		if i < 0 {
			return nil, nil, fmt.Errorf("there is no bench %q", name)
		}
		chosen = append(chosen, benches[i])
	}
	switch {
	case len(flags) > 0 && len(chosen) != 1:
		return nil, nil, errors.New("name one bench before its flags")
	case len(chosen) == 0:
		chosen = slices.DeleteFunc(slices.Clone(benches), func(b bench) bool { return b.name == models || b.name == scale })
	}
	return chosen, flags, nil
}

// measure runs a program. It returns what was measured even if the program
// failed afterwards.
func (b bench) measure(ctx context.Context, flags []string) (report.Report, error) {
	fmt.Printf("\n== %s\n", b.name)
	dir, err := os.MkdirTemp("", "serin-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "report.json")
	args := slices.Concat([]string{"run"}, b.command, []string{"-json", file}, flags)
	c := exec.CommandContext(ctx, "go", args...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err = c.Run(); err != nil {
		err = fmt.Errorf("%s: %w", b.name, err)
	}
	r, unread := report.Read(file)
	if err == nil {
		err = unread
	}
	return r, err
}

// compare prints a table of all that was measured, and fails if a budget is
// exceeded.
func (all *limits) compare(to io.Writer, r report.Report) error {
	out := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "\nQUANTITY\tAT\tMEDIAN\tSPREAD\tRUNS\tBEFORE\tBUDGET\tMARGIN")
	var over []string
	for _, s := range r {
		l := all.find(s.Name)
		m, before, budget := newMeasurement(s, "", ""), "", ""
		if old := l.at(s.At); old != nil {
			before = number(old.Median)
		}
		if l.Budget != nil {
			budget = number(*l.Budget)
		}
		margin := l.margin(m)
		if l.over(m) {
			margin = strings.ToUpper(margin)
			over = append(over, strings.TrimSpace(l.Name+" "+m.At))
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", l.Name, m.At, l.value(m.Median), m.spread(), m.Runs, before, budget, margin)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if len(over) > 0 {
		return fmt.Errorf("over budget: %s", strings.Join(over, "; "))
	}
	fmt.Fprintln(to, "\nAll that was measured is within its budget.")
	return nil
}

// update takes over what was measured.
func (all *limits) update(r report.Report) {
	date, machine := time.Now().Format(time.DateOnly), all.machine(machine())
	for _, s := range r {
		all.find(s.Name).update(newMeasurement(s, date, machine))
	}
}

// machine describes this machine in a few words.
func machine() string {
	cpu := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
				cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return fmt.Sprintf("%d CPUs, %s", runtime.NumCPU(), cpu)
	}
	release, _, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), "-")
	return fmt.Sprintf("%d CPUs, %s, %s %s, %s", runtime.NumCPU(), cpu, unix.ByteSliceToString(u.Sysname[:]), release, runtime.Version())
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}
