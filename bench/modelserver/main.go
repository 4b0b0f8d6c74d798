// SPDX-License-Identifier: Apache-2.0

// Command modelserver measures what a prediction costs: the model server with
// the iris model takes turns with the same HTTP stack that answers a constant.
// Each serves on one core. The clients keep their connections and use the
// other cores.
//
// The CPU time is what the server used for a request. The throughput is what
// the clients saw, so on a busy machine it depends on them too. The ratios are
// those of one round.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/serin-dev/serin/bench/internal/report"
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
	file := flag.String("json", "", "file that gets the numbers")
	flag.Parse()

	var r report.Report
	for range o.rounds {
		constant, err := turn(ctx, constantRole, o)
		if err != nil {
			return fmt.Errorf("%s: %w", constantRole, err)
		}
		iris, err := turn(ctx, modelRole, o)
		if err != nil {
			return fmt.Errorf("%s: %w", modelRole, err)
		}
		r.Add("modelserver-cpu-ratio", "", iris.cpu/constant.cpu)
		r.Add("modelserver-cpu", constantRole, constant.cpu)
		r.Add("modelserver-cpu", modelRole, iris.cpu)
		r.Add("modelserver-rate", constantRole, constant.perSecond)
		r.Add("modelserver-rate", modelRole, iris.perSecond)
	}
	return r.Write(*file)
}

// result is one turn.
type result struct {
	perSecond float64 // requests
	cpu       float64 // microseconds of the server for a request
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
	return result{float64(requests) / took.Seconds(), used.Seconds() * 1e6 / float64(max(requests, 1))}, nil
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
