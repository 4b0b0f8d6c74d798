// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// call makes gRPC calls one after another, and counts their statuses by revision:
// call N ADDRESS HOST METHOD.
func call() {
	counts, err := callAll(os.Args[1:])
	for _, answer := range slices.Sorted(maps.Keys(counts)) {
		fmt.Println(counts[answer], answer)
	}
	exit("call", err)
}

func callAll(args []string) (map[string]int, error) {
	if len(args) != 4 {
		return nil, errors.New("usage: call N ADDRESS HOST METHOD")
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(args[1], grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(args[2]))
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // nothing is in flight
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	counts := map[string]int{}
	for range n {
		var header metadata.MD
		err := conn.Invoke(ctx, args[3], &grpc_testing.Empty{}, &grpc_testing.Empty{}, grpc.Header(&header))
		answer := fmt.Sprint(status.Code(err), " ", status.Convert(err).Message(), " ", strings.Join(header.Get("serin-revision"), ""))
		counts[strings.Join(strings.Fields(answer), " ")]++
	}
	return counts, nil
}

// twoPorts is a model server with one port for HTTP and one for gRPC, which answers
// nothing but its protocol: twoports HTTP-PORT GRPC-PORT.
func twoPorts() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := serveTwoPorts(ctx, os.Args[1], os.Args[2])
	stop()
	exit("twoports", err)
}

func serveTwoPorts(ctx context.Context, httpPort, grpcPort string) error {
	listen := func(port string) (net.Listener, error) {
		return new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(os.Getenv("POD_IP"), port))
	}
	requests, err := listen(httpPort)
	if err != nil {
		return err
	}
	calls, err := listen(grpcPort)
	if err != nil {
		return err
	}
	web := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, r.Proto) })}
	rpc := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		if err := stream.RecvMsg(&grpc_testing.Empty{}); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		return stream.SendMsg(&grpc_testing.Empty{})
	}))
	ended := make(chan error, 2)
	go func() { ended <- web.Serve(requests) }()
	go func() { ended <- rpc.Serve(calls) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	rpc.GracefulStop()
	return web.Shutdown(context.WithoutCancel(ctx))
}
