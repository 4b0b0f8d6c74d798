// SPDX-License-Identifier: Apache-2.0

package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/probe"
	grpcprobe "k8s.io/kubernetes/pkg/probe/grpc"
	httpprobe "k8s.io/kubernetes/pkg/probe/http"
	tcpprobe "k8s.io/kubernetes/pkg/probe/tcp"
)

// probers are the kubelet's network probes.
type probers struct {
	http *http.Client
	tcp  tcpprobe.Prober
	grpc grpcprobe.Prober
}

func newProbers() probers {
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // as kubelets have it
		DisableKeepAlives: true, DisableCompression: true,
		DialContext: probe.ProbeDialer().DialContext,
	}
	return probers{
		http: &http.Client{Transport: transport, CheckRedirect: httpprobe.RedirectChecker(false)},
		tcp:  tcpprobe.New(),
		grpc: grpcprobe.New(),
	}
}

// bodyReader keeps the first line of a body, which says why a server is not ready. Kubelets
// do not tell it, because a probe may ask any server with their rights; here it is the Pod's.
type bodyReader struct {
	client *http.Client
	line   string
}

// Do implements httpprobe.GetHTTPInterface.
func (l *bodyReader) Do(req *http.Request) (*http.Response, error) {
	const most = 400
	answer, err := l.client.Do(req)
	if err != nil || answer.StatusCode < http.StatusBadRequest {
		return answer, err
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, most))
	if err != nil {
		return answer, nil // the status is enough
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "application/json") {
		l.line = strings.ToValidUTF8(line, "")
	}
	return answer, nil
}

// get asks over HTTP.
func (p probers) get(req *http.Request, timeout time.Duration) (probe.Result, string, error) {
	ctx, cancel := context.WithTimeout(req.Context(), timeout)
	defer cancel()
	l := &bodyReader{client: p.http}
	result, text, err := httpprobe.DoHTTPProbe(req.WithContext(ctx), l)
	if result == probe.Failure && l.line != "" {
		text += ": " + l.line
	}
	return result, text, err
}

// target is what probes and hooks need of a container.
type target struct {
	spec    *corev1.Container
	ip      string
	setting setting
}

// ask runs a probe once.
func (n *node) ask(ctx context.Context, t target, p *corev1.Probe) (ok bool, why string) {
	timeout := time.Duration(cmp.Or(p.TimeoutSeconds, 1)) * time.Second
	result, text, err := n.probe(ctx, t, p, timeout)
	if err != nil {
		return false, err.Error()
	}
	return result == probe.Success || result == probe.Warning, text
}

func (n *node) probe(ctx context.Context, t target, p *corev1.Probe, timeout time.Duration) (probe.Result, string, error) {
	switch {
	case p.HTTPGet != nil:
		req, err := httpprobe.NewRequestForHTTPGetAction(p.HTTPGet, t.spec, t.ip, "probe")
		if err != nil {
			return probe.Unknown, "", err
		}
		return n.probers.get(req.WithContext(ctx), timeout)
	case p.TCPSocket != nil:
		port, err := probe.ResolveContainerPort(p.TCPSocket.Port, t.spec)
		if err != nil {
			return probe.Unknown, "", err
		}
		return n.probers.tcp.Probe(cmp.Or(p.TCPSocket.Host, t.ip), port, timeout)
	case p.GRPC != nil:
		service := ""
		if p.GRPC.Service != nil {
			service = *p.GRPC.Service
		}
		return n.probers.grpc.Probe(t.ip, service, int(p.GRPC.Port), timeout, grpcprobe.ProbeOptions{})
	case p.Exec != nil:
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		out, err := t.setting.output(ctx, p.Exec.Command)
		if err != nil {
			return probe.Failure, fmt.Sprintf("%v: %s", err, out), nil
		}
		return probe.Success, out, nil
	}
	return probe.Unknown, "", errors.New("this node does not know the kind of probe")
}

// hook runs a lifecycle handler once.
func (n *node) hook(ctx context.Context, t target, h *corev1.LifecycleHandler) error {
	switch {
	case h.Exec != nil:
		out, err := t.setting.output(ctx, h.Exec.Command)
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	case h.HTTPGet != nil:
		req, err := httpprobe.NewRequestForHTTPGetAction(h.HTTPGet, t.spec, t.ip, "lifecycle")
		if err != nil {
			return err
		}
		answer, err := n.hooks.Do(req.WithContext(ctx))
		if err != nil {
			return err
		}
		_ = answer.Body.Close()
		if answer.StatusCode >= http.StatusBadRequest {
			return fmt.Errorf("%s answered %s", req.URL, answer.Status)
		}
		return nil
	case h.Sleep != nil:
		select {
		case <-time.After(time.Duration(h.Sleep.Seconds) * time.Second):
		case <-ctx.Done():
		}
		return nil
	}
	return errors.New("this node does not know the kind of hook")
}

// watchProbe runs one probe of a container until ctx ends, and reports each change of judgement.
// failed is called with the reason of each counted failure.
func (n *node) watchProbe(ctx context.Context, t target, p *corev1.Probe, eager bool, failed func(why string), report func(judgement) (enough bool)) {
	if !sleep(ctx, time.Duration(p.InitialDelaySeconds)*time.Second) {
		return
	}
	counter := newProbing(p, eager, time.Now())
	if !sleep(ctx, counter.first()) {
		return
	}
	first, latest := true, undecided
	for {
		ok, why := n.ask(ctx, t, p)
		if ctx.Err() != nil {
			return
		}
		now := time.Now()
		j, counted := counter.observe(ok, now)
		// The first failure of an eager probe is no event: the program has just started.
		if !ok && counted && (!first || !eager) {
			failed(why)
		}
		if j != undecided && j != latest {
			latest = j
			if report(j) {
				return
			}
		}
		first = false
		if !sleep(ctx, counter.pause(now)) {
			return
		}
	}
}

// sleep waits; it is false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
