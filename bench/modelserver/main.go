// SPDX-License-Identifier: Apache-2.0

// Command modelserver measures what predictions cost: the model server with
// the iris model against the same HTTP stack answering a constant. Each serves
// on one core; the clients, which keep their connections, use the others. The
// two take turns, and the medians and their ratio are printed.
//
// Throughput is what the clients saw, and on a busy machine says as much about
// them. CPU time is what the server used for a request: its inverse is what
// one core could answer with nothing else to do.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/modelserver:", err)
		os.Exit(1)
	}
}

type options struct {
	model   string
	rounds  int
	length  time.Duration
	clients int
}

func run(ctx context.Context) error {
	if role := os.Getenv(roleVariable); role != "" {
		return serve(ctx, role)
	}
	var o options
	flag.StringVar(&o.model, "model", "internal/local/models/iris-1", "folder of the model; it must take four features")
	flag.IntVar(&o.rounds, "rounds", 7, "how often each server has its turn")
	flag.DurationVar(&o.length, "length", 3*time.Second, "length of a turn")
	flag.IntVar(&o.clients, "clients", 32, "connections")
	least := flag.Float64("budget", 0, "fail if the ratio is below; 0: only print")
	flag.Parse()

	roles := []string{constantRole, modelRole}
	results := map[string][]result{}
	for range o.rounds {
		for _, role := range roles {
			r, err := turn(ctx, role, o)
			if err != nil {
				return fmt.Errorf("%s: %w", role, err)
			}
			results[role] = append(results[role], r)
		}
	}
	ratio, err := report(os.Stdout, results, roles)
	if err != nil {
		return err
	}
	if ratio < *least {
		return fmt.Errorf("the model server reaches %.2f of the constant, below %.2f", ratio, *least)
	}
	return nil
}

// result is one turn.
type result struct {
	perSecond float64
	cpu       time.Duration // of the server, per request
}

// report prints medians and returns the smaller of the two ratios.
func report(w io.Writer, results map[string][]result, roles []string) (float64, error) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "server\trequests/s\tCPU us/request\trequests/s of a whole core\t")
	rate, cpu := map[string]float64{}, map[string]float64{}
	for _, role := range roles {
		rate[role] = median(results[role], func(r result) float64 { return r.perSecond })
		cpu[role] = median(results[role], func(r result) float64 { return r.cpu.Seconds() * 1e6 })
		fmt.Fprintf(table, "%s\t%.0f\t%.2f\t%.0f\t\n", role, rate[role], cpu[role], 1e6/cpu[role])
	}
	byRate, byCPU := rate[modelRole]/rate[constantRole], cpu[constantRole]/cpu[modelRole]
	fmt.Fprintf(table, "ratio\t%.2f\t%.2f\t\t\n", byRate, byCPU)
	return min(byRate, byCPU), table.Flush()
}

func median(results []result, of func(result) float64) float64 {
	var values []float64
	for _, r := range results {
		values = append(values, of(r))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// turn starts a server, loads it, stops it and reads what it used.
func turn(ctx context.Context, role string, o options) (result, error) {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+role, modelVariable+"="+o.model, "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return result{}, err
	}
	if err := startPinned(cmd); err != nil {
		return result{}, err
	}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	var requests int64
	begin := time.Now()
	if err == nil {
		requests, err = load(ctx, strings.TrimSpace(address), o)
	}
	took := time.Since(begin)
	err = errors.Join(err, cmd.Process.Signal(syscall.SIGTERM), cmd.Wait())
	if err != nil {
		return result{}, err
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return result{float64(requests) / took.Seconds(), used / time.Duration(max(requests, 1))}, nil
}

// startPinned gives the child the first of our cores: a process inherits the
// affinity of the thread that starts it. We keep the other cores, if any.
func startPinned(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	return errors.Join(cmd.Start(), unix.SchedSetaffinity(0, &all))
}

// load sends requests over every connection until the turn is over.
func load(ctx context.Context, address string, o options) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, o.length)
	defer cancel()
	var total atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, o.clients)
	for i := range errs {
		wg.Go(func() {
			n, err := client(ctx, address)
			total.Add(n)
			errs[i] = err
		})
	}
	wg.Wait()
	return total.Load(), errors.Join(errs...)
}

// client asks for the same prediction again and again and checks each answer.
func client(ctx context.Context, address string) (int64, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	request := fmt.Appendf(nil, "POST /v1/models/m:predict HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(question), question)
	want, buf := []byte("\r\n\r\n"+prediction), make([]byte, 4096)
	var n int64
	for ; ctx.Err() == nil; n++ {
		if _, err := conn.Write(request); err != nil {
			return n, err
		}
		have := 0
		for !bytes.HasSuffix(buf[:have], want) {
			k, err := conn.Read(buf[have:])
			if err != nil {
				return n, fmt.Errorf("answer %q: %w", buf[:have], err)
			}
			have += k
			if have == len(buf) {
				return n, fmt.Errorf("answer %q", buf)
			}
		}
	}
	return n, nil
}
