// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/serin-dev/serin/internal/lifecycle"
)

// serveTimeout bounds the start of the parts that Serin adds.
const serveTimeout = time.Minute

// waitServing waits until the user's first commands work: the node takes Pods,
// the default service account exists (Pods are refused without it), and the
// router knows its services.
func waitServing(ctx context.Context, c Config, config *rest.Config, parts *lifecycle.Parts) error {
	ctx, cancel := context.WithTimeout(ctx, serveTimeout)
	defer cancel()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	for _, check := range []struct {
		part, name string
		ok         func(context.Context) error
	}{
		{Node, "the node", func(ctx context.Context) error { return nodeReady(ctx, client) }},
		{"", "the default service account", func(ctx context.Context) error {
			_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
			return err
		}},
		{Router, "the router", func(ctx context.Context) error { return answers(ctx, "http://"+c.Metrics.Addr().String()+"/readyz") }},
	} {
		if !c.has(check.part) {
			continue
		}
		if err := parts.Until(ctx, check.name, check.ok); err != nil {
			return err
		}
	}
	return nil
}

func nodeReady(ctx context.Context, client kubernetes.Interface) error {
	n, err := client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return fmt.Errorf("node %s is not Ready: %v", nodeName, n.Status.Conditions)
}

// answers returns an error unless a GET of the URL answers 200.
func answers(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, res.Status)
	}
	return errors.Join(err, res.Body.Close())
}
