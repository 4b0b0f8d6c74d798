// SPDX-License-Identifier: Apache-2.0

package kubetest

import (
	"context"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Run starts an API without a controller, a node and a router, runs program with
// it until the test ends, and returns a client.
func Run(t *testing.T, program func(context.Context, *rest.Config) error) kubernetes.Interface {
	t.Helper()
	server, err := Start(t.Context(), "--without=controller,node,router")
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(server.REST)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- program(ctx, server.REST) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the program under test: %v", err)
		}
		if err := server.Stop(); err != nil {
			t.Errorf("control plane: %v", err)
		}
	})
	return client
}
