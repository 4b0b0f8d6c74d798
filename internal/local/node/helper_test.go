// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// helperEnv makes the test binary the program of test Pods.
const helperEnv = "SERIN_NODE_TEST_HELPER"

var term = make(chan os.Signal, 1)

func TestMain(m *testing.M) {
	if os.Getenv(helperEnv) != "" {
		if last := os.Args[len(os.Args)-1]; strings.HasPrefix(last, "wait:") {
			signal.Notify(term, syscall.SIGTERM) // before the first word that a test may wait for
		}
		for _, step := range os.Args[1:] {
			if err := help(step); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
		os.Exit(0)
	}
	if os.Getenv(nodeEnv) != "" {
		fmt.Fprintln(os.Stderr, runTestNode(os.Args[1], os.Args[2]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// taken is what allocate took.
var taken [][]byte

// help runs one step of the helper program; the arguments of a test container are such steps.
func help(step string) error {
	verb, arg, _ := strings.Cut(step, ":")
	switch verb {
	case "out":
		fmt.Println(arg)
	case "err":
		fmt.Fprintln(os.Stderr, arg)
	case "env":
		fmt.Println(arg + "=" + os.Getenv(arg))
	case "cat":
		data, err := os.ReadFile(arg)
		fmt.Printf("%s\n", data)
		return err
	case "write": // write:PATH=TEXT
		path, text, _ := strings.Cut(arg, "=")
		return os.WriteFile(path, []byte(text), 0o600)
	case "copy":
		_, err := io.Copy(os.Stdout, os.Stdin)
		return err
	case "once": // once:PATH=CODE exits with CODE unless PATH exists
		path, code, _ := strings.Cut(arg, "=")
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			return err
		}
		n, err := strconv.Atoi(code)
		if err != nil {
			return err
		}
		os.Exit(n)
	case "exit":
		n, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		os.Exit(n)
	case "allocate": // allocate:N takes N MB
		n, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		for range n {
			block := make([]byte, 1<<20)
			for i := range block {
				block[i] = 1
			}
			taken = append(taken, block)
		}
	case "child": // a process that leaves the group and holds a port
		cmd := exec.Command(os.Args[0], "serve:"+arg)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		return cmd.Start()
	case "stubborn": // stubborn:PATH makes PATH once SIGTERM does nothing
		signal.Ignore(syscall.SIGTERM)
		if arg != "" {
			if err := os.WriteFile(arg, nil, 0o600); err != nil {
				return err
			}
		}
		time.Sleep(time.Hour)
	case "wait":
		return waitForTerm(arg)
	case "serve":
		return helperServer(net.JoinHostPort(os.Getenv("POD_IP"), arg))
	case "everywhere": // serves a port of all interfaces
		return helperServer(":" + arg)
	case "greet": // greet:PORT prints who answers at localhost
		answer, err := http.Get("http://localhost:" + arg + "/name")
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		_, err = io.Copy(os.Stdout, answer.Body)
		return err
	case "grpc":
		return healthServer(arg)
	default:
		return fmt.Errorf("unknown step %q", step)
	}
	return nil
}

// waitForTerm waits for SIGTERM, and then prints arg. It has to be the last step.
func waitForTerm(arg string) error {
	<-term
	if arg != "" {
		fmt.Println(arg)
	}
	return nil
}

// healthServer answers gRPC health checks of the service "models".
func healthServer(port string) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(os.Getenv("POD_IP"), port))
	if err != nil {
		return err
	}
	states := health.NewServer()
	states.SetServingStatus("models", healthpb.HealthCheckResponse_SERVING)
	server := grpc.NewServer()
	healthpb.RegisterHealthServer(server, states)
	return server.Serve(listener)
}

// helperServer answers /health with what the last PUT to it said (200 at first), /name with the name of
// its Pod, and prints the path of every other request.
func helperServer(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	var code atomic.Int64
	code.Store(http.StatusOK)
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/name":
			_, _ = fmt.Fprintln(w, os.Getenv("HOSTNAME"))
		case r.URL.Path != "/health":
			fmt.Println("request " + r.URL.Path)
		case r.Method == http.MethodPut:
			body, _ := io.ReadAll(r.Body)
			n, _ := strconv.ParseInt(string(body), 10, 64)
			code.Store(n)
		default:
			w.WriteHeader(int(code.Load()))
		}
	})}
	return server.Serve(listener)
}
