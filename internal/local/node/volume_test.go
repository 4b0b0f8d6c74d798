// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubetest "k8s.io/client-go/testing"

	"github.com/serin-dev/serin/internal/testkit/eventually"
)

func TestVolumesOfEveryKind(t *testing.T) {
	host := t.TempDir()
	c := newCluster(t,
		&corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "conf"},
			Data:       map[string]string{"a.txt": "alpha", "b.txt": "beta"}, BinaryData: map[string][]byte{"c.bin": {7}},
		},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "keys"}, Data: map[string][]byte{"token": []byte("t0p")}},
	)
	c.grantTokens(time.Hour)
	c.startNode(t)
	c.create(t, `
metadata: {labels: {app: shop, tier: front}}
spec:
  restartPolicy: Never
  serviceAccountName: robot
  volumes:
  - {name: conf, configMap: {name: conf}}
  - {name: some, configMap: {name: conf, items: [{key: b.txt, path: deep/beta.txt}]}}
  - {name: keys, secret: {secretName: keys, defaultMode: 0400}}
  - {name: labels, downwardAPI: {items: [{path: all, fieldRef: {fieldPath: metadata.labels}}, {path: cpu, resourceFieldRef: {containerName: main, resource: limits.cpu}}]}}
  - name: mixed
    projected:
      sources:
      - {serviceAccountToken: {path: token, expirationSeconds: 3607}}
      - {configMap: {name: conf, items: [{key: a.txt, path: ca.crt}]}}
      - {downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}}
      - {secret: {name: nowhere, optional: true}}
  - {name: host, hostPath: {path: `+host+`/made, type: DirectoryOrCreate}}
  - {name: scratch, emptyDir: {}}
  containers:
  - name: main
    resources: {limits: {cpu: "3"}}
    args:
    - cat:/conf/a.txt
    - cat:/etc/b.txt
    - cat:/keys/token
    - cat:/some/deep/beta.txt
    - cat:/labels/all
    - cat:/labels/cpu
    - cat:/var/run/secrets/kubernetes.io/serviceaccount/token
    - cat:/var/run/secrets/kubernetes.io/serviceaccount/ca.crt
    - cat:/var/run/secrets/kubernetes.io/serviceaccount/namespace
    - write:/host/out=written
    - write:/scratch/web/x=mine
    env: [{name: ME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
    volumeMounts:
    - {name: conf, mountPath: /conf}
    - {name: conf, mountPath: /etc/b.txt, subPath: b.txt}
    - {name: some, mountPath: /some}
    - {name: keys, mountPath: /keys}
    - {name: labels, mountPath: /labels}
    - {name: mixed, mountPath: /var/run/secrets/kubernetes.io/serviceaccount}
    - {name: host, mountPath: /host}
    - {name: scratch, mountPath: /scratch/web, subPathExpr: of-$(ME)}
`)
	pod := c.pod(t, "web", "done", func(p *corev1.Pod) bool { return settled(p.Status.Phase) })
	c.logs(t, "web/main", "alpha\nbeta\nt0p\nbeta\napp=\"shop\"\ntier=\"front\"\n3\ntoken-1 of robot\nalpha\ndefault\n")
	dir := podDirOf(c.dir, pod.UID)
	for name, want := range map[string]string{
		filepath.Join(host, "made", "out"):  "written",
		dir.volume("scratch") + "/of-web/x": "mine",
		dir.volume("conf") + "/c.bin":       "\x07",
	} {
		if data, err := os.ReadFile(name); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	if info, err := os.Stat(dir.volume("keys") + "/token"); err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("mode of the secret: %v, %v", info, err)
	}
}

// grantTokens makes the API hand out numbered tokens that live for a while.
func (c *cluster) grantTokens(life time.Duration) {
	n := 0
	c.client.PrependReactor("create", "serviceaccounts", func(action kubetest.Action) (bool, runtime.Object, error) {
		create, ok := action.(kubetest.CreateActionImpl)
		if !ok || action.GetSubresource() != "token" {
			return false, nil, nil
		}
		n++
		return true, &authv1.TokenRequest{Status: authv1.TokenRequestStatus{
			Token: fmt.Sprintf("token-%d of %s", n, create.Name), ExpirationTimestamp: metav1.NewTime(time.Now().Add(life)),
		}}, nil
	})
}

func TestTokensAreRefreshedBeforeTheyExpire(t *testing.T) {
	c := newCluster(t)
	c.grantTokens(2 * time.Second)
	c.startNode(t)
	pod := c.create(t, `
spec:
  serviceAccountName: robot
  volumes: [{name: sa, projected: {sources: [{serviceAccountToken: {path: token}}]}}]
  containers: [{name: main, args: ["wait:"], volumeMounts: [{name: sa, mountPath: /sa}]}]
`)
	c.pod(t, "web", "ready", isReady)
	eventually.Holds(t, func(context.Context) (any, bool) {
		data, err := os.ReadFile(podDirOf(c.dir, pod.UID).volume("sa") + "/token")
		return string(data), err == nil && string(data) >= "token-2"
	})
}

func TestPodStartsOnceItsConfigMapExists(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
spec: {containers: [{name: main, args: ["env:A", "wait:"], envFrom: [{configMapRef: {name: late}}]}]}
`)
	c.pod(t, "web", "waiting", waitsFor(reasonConfig))
	c.event(t, "Failed", `configmaps "late" not found`)
	late := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "late"}, Data: map[string]string{"A": "1"}}
	if _, err := c.client.CoreV1().ConfigMaps("default").Create(t.Context(), late, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.pod(t, "web", "ready", isReady)
	c.logs(t, "web/main", "A=1\n")
}

func TestDownwardVolumeFollowsLabels(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
metadata: {labels: {color: red}}
spec:
  volumes: [{name: info, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}]
  containers: [{name: main, args: ["wait:"], volumeMounts: [{name: info, mountPath: /info}]}]
`)
	pod := c.pod(t, "web", "ready", isReady)
	pod.Labels["color"] = "blue"
	if _, err := c.client.CoreV1().Pods("default").Update(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, func(context.Context) (any, bool) {
		data, err := os.ReadFile(podDirOf(c.dir, pod.UID).volume("info") + "/labels")
		return string(data), err == nil && string(data) == `color="blue"`
	})
}

func TestPayloadReplacesItsFilesAtOnce(t *testing.T) {
	dir := t.TempDir()
	write := func(p payload) map[string]string {
		t.Helper()
		if err := p.write(dir); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, pattern := range []string{"*", "*/*"} {
			names, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				rel, _ := filepath.Rel(dir, name)
				if data, err := os.ReadFile(name); err == nil && rel[0] != '.' {
					got[rel] = string(data)
				}
			}
		}
		return got
	}
	first := write(payload{"a": {[]byte("1"), 0o644}, "sub/b": {[]byte("2"), 0o644}})
	if diff := cmp.Diff(map[string]string{"a": "1", "sub/b": "2"}, first); diff != "" {
		t.Error(diff)
	}
	open, err := os.Open(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = open.Close() }()
	second := write(payload{"a": {[]byte("3"), 0o600}, "c": {nil, 0o644}})
	if diff := cmp.Diff(map[string]string{"a": "3", "c": ""}, second); diff != "" {
		t.Error(diff)
	}
	hidden, err := filepath.Glob(filepath.Join(dir, "..[0-9]*"))
	if err != nil || len(hidden) != 1 {
		t.Errorf("old versions are left: %v, %v", hidden, err)
	}
}

func TestHostPathTypesAreChecked(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		kind corev1.HostPathType
		err  string
	}{
		{dir + "/none", corev1.HostPathUnset, ""},
		{dir, corev1.HostPathDirectory, ""},
		{file, corev1.HostPathFile, ""},
		{file, corev1.HostPathDirectory, file + " is not a Directory"},
		{dir, corev1.HostPathSocket, dir + " is not a Socket"},
		{dir + "/none", corev1.HostPathFile, "stat " + dir + "/none: no such file or directory"},
		{dir + "/new/dir", corev1.HostPathDirectoryOrCreate, ""},
		{dir + "/new/file", corev1.HostPathFileOrCreate, ""},
		{dir + "/new/file", corev1.HostPathFile, ""},
	} {
		if got := errorText(checkHostPath(&corev1.HostPathVolumeSource{Path: c.path, Type: &c.kind})); got != c.err {
			t.Errorf("%s as %s: %q, want %q", c.path, c.kind, got, c.err)
		}
	}
}

func TestClaimIsTheFolderOfItsVolume(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "m.txt"), []byte("a model"), 0o600); err != nil {
		t.Fatal(err)
	}
	volume := func(name string, from corev1.PersistentVolumeSource) *corev1.PersistentVolume {
		return &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PersistentVolumeSpec{PersistentVolumeSource: from}}
	}
	claim := func(name, volume string, phase corev1.PersistentVolumeClaimPhase) *corev1.PersistentVolumeClaim {
		return &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
			Spec:       corev1.PersistentVolumeClaimSpec{VolumeName: volume},
			Status:     corev1.PersistentVolumeClaimStatus{Phase: phase},
		}
	}
	c := startCluster(t,
		volume("v1", corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: folder}}), claim("host", "v1", corev1.ClaimBound),
		volume("v2", corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: folder}}), claim("local", "v2", corev1.ClaimBound),
		volume("v3", corev1.PersistentVolumeSource{NFS: &corev1.NFSVolumeSource{Server: "x", Path: "/x"}}), claim("nfs", "v3", corev1.ClaimBound),
		claim("waits", "", corev1.ClaimPending),
	)
	pod := func(name string) {
		t.Helper()
		c.create(t, `
metadata: {name: `+name+`}
spec:
  restartPolicy: Never
  volumes: [{name: data, persistentVolumeClaim: {claimName: `+name+`}}]
  containers:
  - name: main
    args: ["cat:/mnt/models/m.txt"]
    volumeMounts: [{name: data, mountPath: /mnt/models}]
`)
	}
	for _, name := range []string{"host", "local"} {
		pod(name)
		c.pod(t, name, "done", func(p *corev1.Pod) bool { return settled(p.Status.Phase) })
		c.logs(t, name+"/main", "a model\n")
	}
	for _, name := range []string{"nfs", "waits"} {
		pod(name)
		c.pod(t, name, "refused", waitsFor(reasonVolumes))
	}
	c.event(t, "FailedMount", `volume "data": claim nfs: volume v3: this node has volumes with hostPath or local only`)
	c.event(t, "FailedMount", `volume "data": claim waits is bound to no volume: this node makes none, so create a PersistentVolume with hostPath`)
}

func TestVolumesWithoutAProcessAreNotRenewed(t *testing.T) {
	w := &worker{volumes: volumes{renew: now.Add(-time.Minute)}}
	if at := w.renewVolumes(t.Context(), now); !at.IsZero() {
		t.Errorf("the worker wants to look again at %v", at)
	}
}
