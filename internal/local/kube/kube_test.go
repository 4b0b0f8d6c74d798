// SPDX-License-Identifier: Apache-2.0

package kube_test

import (
	"context"
	"crypto/tls"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-dev/serin/internal/local/kube"
	"github.com/serin-dev/serin/internal/testkit/eventually"
)

// One test, because a process starts one control plane in its life.
func TestControlPlane(t *testing.T) {
	// Its own, because other tests have sockets too. Sockets need a short path.
	tmp, err := os.MkdirTemp("", "") //nolint:usetesting // its path is long
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	t.Setenv("TMPDIR", tmp)
	dir := filepath.Join(t.TempDir(), "a directory whose path is far too long to hold the unix socket of etcd, which is moved elsewhere then")
	etcd := filepath.Join(t.TempDir(), "serin-etcd")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", etcd, "../../../cmd/etcd").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s, err := kube.Start(t.Context(), kube.Config{Dir: dir, Etcd: etcd, NodeName: "serin", NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(s.REST)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("a Deployment becomes Pods", func(t *testing.T) {
		if _, err := client.AppsV1().Deployments("default").Create(t.Context(), deployment("web"), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually.Holds(t, func(ctx context.Context) (any, bool) {
			pods, err := client.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
			if err != nil {
				return err, false
			}
			// Pending because there is no node: the scheduler has seen it.
			return pods.Items, len(pods.Items) == 1 && len(pods.Items[0].Status.Conditions) > 0
		})
	})

	t.Run("nobody gets in without a certificate", func(t *testing.T) {
		plain := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		for _, path := range []string{"/api", "/readyz", "/metrics"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.REST.Host+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := plain.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusUnauthorized {
				t.Errorf("GET %s without a certificate: %s", path, res.Status)
			}
		}
	})

	t.Run("its files are the owner's alone", func(t *testing.T) {
		if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			if info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has mode %s", path, info.Mode())
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("a process starts only one", func(t *testing.T) {
		if _, err := kube.Start(t.Context(), kube.Config{Dir: t.TempDir()}); err == nil {
			t.Fatal("a second control plane started")
		}
	})

	t.Run("it stops while somebody watches", func(t *testing.T) {
		w, err := client.CoreV1().Pods("").Watch(context.Background(), metav1.ListOptions{}) // as kubectl get --watch in another terminal
		if err != nil {
			t.Fatal(err)
		}
		defer w.Stop()
		stopped := make(chan error, 1)
		go func() { stopped <- s.Stop() }()
		select {
		case err := <-stopped:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(20 * time.Second): // it takes 60 when it waits for the watch
			t.Fatal("it waits for the watch to end")
		}
	})
	sockets, err := filepath.Glob(filepath.Join(tmp, "serin-*"))
	if err != nil || len(sockets) > 0 {
		t.Errorf("left behind: %v (%v)", sockets, err)
	}
}

func deployment(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
			},
		},
	}
}
