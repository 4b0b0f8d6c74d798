// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"
)

// lookup reads the objects that one Pod may refer to.
type lookup struct {
	ctx    context.Context // of the one operation the lookup was made for
	client kubernetes.Interface
	pod    *corev1.Pod
}

func (l lookup) configMap(name string) (*corev1.ConfigMap, error) {
	return l.client.CoreV1().ConfigMaps(l.pod.Namespace).Get(l.ctx, name, metav1.GetOptions{})
}

func (l lookup) secret(name string) (*corev1.Secret, error) {
	return l.client.CoreV1().Secrets(l.pod.Namespace).Get(l.ctx, name, metav1.GetOptions{})
}

// token requests a token of the Pod's service account that is bound to the Pod.
func (l lookup) token(t *corev1.ServiceAccountTokenProjection) (*authv1.TokenRequestStatus, error) {
	req := &authv1.TokenRequest{Spec: authv1.TokenRequestSpec{
		ExpirationSeconds: t.ExpirationSeconds,
		BoundObjectRef:    &authv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: l.pod.Name, UID: l.pod.UID},
	}}
	if t.Audience != "" {
		req.Spec.Audiences = []string{t.Audience}
	}
	answer, err := l.client.CoreV1().ServiceAccounts(l.pod.Namespace).
		CreateToken(l.ctx, l.pod.Spec.ServiceAccountName, req, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("token for service account %q: %w", l.pod.Spec.ServiceAccountName, err)
	}
	return &answer.Status, nil
}

// volumes are the directories of a Pod's volumes by name.
type volumes struct {
	dirs  map[string]string
	renew time.Time // when a token in them has to be replaced; zero is never
}

// stale reports whether the volumes have to be made again.
func (v volumes) stale(now time.Time) bool { return !v.renew.IsZero() && !now.Before(v.renew) }

// makeVolumes writes all volumes of a Pod. Calling it again refreshes tokens and everything else
// that comes from the API.
func makeVolumes(l lookup, dir podDir, capacity corev1.ResourceList, now time.Time) (volumes, error) {
	vs := volumes{dirs: map[string]string{}}
	for i := range l.pod.Spec.Volumes {
		v := &l.pod.Spec.Volumes[i]
		at, made, err := l.folder(v, dir.volume(v.Name))
		if err != nil {
			return vs, fmt.Errorf("volume %q: %w", v.Name, err)
		}
		vs.dirs[v.Name] = at
		if made {
			continue
		}
		p, renew, err := content(l, v, capacity, now)
		if err != nil {
			return vs, fmt.Errorf("volume %q: %w", v.Name, err)
		}
		if err := p.write(at); err != nil {
			return vs, fmt.Errorf("write volume %q: %w", v.Name, err)
		}
		if !renew.IsZero() && (vs.renew.IsZero() || renew.Before(vs.renew)) {
			vs.renew = renew
		}
	}
	return vs, nil
}

// folder returns the directory of a volume: own, unless it is one of this machine. It reports
// whether the directory is made, as those without content from the API are.
func (l lookup) folder(v *corev1.Volume, own string) (at string, made bool, err error) {
	switch {
	case v.HostPath != nil:
		return v.HostPath.Path, true, checkHostPath(v.HostPath)
	case v.PersistentVolumeClaim != nil:
		at, err = l.claimed(v.PersistentVolumeClaim.ClaimName)
		return at, true, err
	case v.EmptyDir != nil:
		return own, true, os.MkdirAll(own, 0o777)
	}
	return own, false, nil
}

// content reads the content of a volume from the API, and returns when to read it again.
func content(l lookup, v *corev1.Volume, capacity corev1.ResourceList, now time.Time) (p payload, renew time.Time, err error) {
	p = payload{}
	switch {
	case v.ConfigMap != nil:
		err = p.addConfigMap(l, v.ConfigMap.Name, v.ConfigMap.Items, v.ConfigMap.DefaultMode, v.ConfigMap.Optional)
	case v.Secret != nil:
		err = p.addSecret(l, v.Secret.SecretName, v.Secret.Items, v.Secret.DefaultMode, v.Secret.Optional)
	case v.DownwardAPI != nil:
		err = p.addDownward(l.pod, v.DownwardAPI.Items, v.DownwardAPI.DefaultMode, capacity)
	case v.Projected != nil:
		renew, err = p.addProjected(l, v.Projected, capacity, now)
	default:
		err = errors.New("this node has emptyDir, hostPath, persistentVolumeClaim, configMap, secret, downwardAPI and projected volumes only")
	}
	return p, renew, err
}

func (p payload) addProjected(l lookup, v *corev1.ProjectedVolumeSource, capacity corev1.ResourceList, now time.Time) (renew time.Time, err error) {
	for _, s := range v.Sources {
		switch {
		case s.ConfigMap != nil:
			err = p.addConfigMap(l, s.ConfigMap.Name, s.ConfigMap.Items, v.DefaultMode, s.ConfigMap.Optional)
		case s.Secret != nil:
			err = p.addSecret(l, s.Secret.Name, s.Secret.Items, v.DefaultMode, s.Secret.Optional)
		case s.DownwardAPI != nil:
			err = p.addDownward(l.pod, s.DownwardAPI.Items, v.DefaultMode, capacity)
		case s.ServiceAccountToken != nil:
			var t *authv1.TokenRequestStatus
			if t, err = l.token(s.ServiceAccountToken); err == nil {
				p[s.ServiceAccountToken.Path] = payloadFile{[]byte(t.Token), fileMode(nil, v.DefaultMode)}
				// A fifth of the lifetime is left for retries.
				if at := now.Add(t.ExpirationTimestamp.Sub(now) * 4 / 5); renew.IsZero() || at.Before(renew) {
					renew = at
				}
			}
		default:
			err = errors.New("this node projects configMap, secret, downwardAPI and serviceAccountToken only")
		}
		if err != nil {
			return renew, err
		}
	}
	return renew, nil
}

// checkHostPath checks, or makes, what the type of a hostPath demands.
func checkHostPath(h *corev1.HostPathVolumeSource) error {
	kind := corev1.HostPathUnset
	if h.Type != nil {
		kind = *h.Type
	}
	switch kind {
	case corev1.HostPathUnset:
		return nil
	case corev1.HostPathDirectoryOrCreate:
		return os.MkdirAll(h.Path, 0o755)
	case corev1.HostPathFileOrCreate:
		f, err := os.OpenFile(h.Path, os.O_CREATE|os.O_RDONLY, 0o644)
		if err != nil {
			return err
		}
		return f.Close()
	case corev1.HostPathDirectory, corev1.HostPathFile, corev1.HostPathSocket, corev1.HostPathCharDev, corev1.HostPathBlockDev:
	}
	info, err := os.Stat(h.Path)
	if err != nil {
		return err
	}
	is := map[corev1.HostPathType]bool{
		corev1.HostPathDirectory: info.IsDir(),
		corev1.HostPathFile:      info.Mode().IsRegular(),
		corev1.HostPathSocket:    info.Mode()&os.ModeSocket != 0,
		corev1.HostPathCharDev:   info.Mode()&os.ModeCharDevice != 0,
		corev1.HostPathBlockDev:  info.Mode()&os.ModeDevice != 0 && info.Mode()&os.ModeCharDevice == 0,
	}
	if !is[kind] {
		return fmt.Errorf("%s is not a %s", h.Path, kind)
	}
	return nil
}

// containerMounts returns the mounts of a container, and that of the file for its termination
// message.
func containerMounts(c *corev1.Container, dirs, env map[string]string, message string) (mounts, error) {
	var out mounts
	if c.TerminationMessagePath != "" {
		out = append(out, mount{container: path.Clean(c.TerminationMessagePath), host: message})
	}
	for _, m := range c.VolumeMounts {
		host, ok := dirs[m.Name]
		if !ok {
			return nil, fmt.Errorf("the Pod has no volume %q", m.Name)
		}
		sub := m.SubPath
		if m.SubPathExpr != "" {
			sub = expansion.Expand(m.SubPathExpr, expansion.MappingFuncFor(env))
		}
		if sub != "" {
			if !filepath.IsLocal(sub) {
				return nil, fmt.Errorf("subPath %q leaves its volume", sub)
			}
			host = filepath.Join(host, sub)
			if _, err := os.Stat(host); errors.Is(err, os.ErrNotExist) {
				if err := os.MkdirAll(host, 0o777); err != nil {
					return nil, err
				}
			}
		}
		out = append(out, mount{container: path.Clean(m.MountPath), host: host})
	}
	return out, nil
}
