// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// claimed returns the directory of the volume that a claim is bound to. The volume must be a
// folder of this machine.
func (l lookup) claimed(name string) (string, error) {
	claim, err := l.client.CoreV1().PersistentVolumeClaims(l.pod.Namespace).Get(l.ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if claim.Status.Phase != corev1.ClaimBound {
		return "", fmt.Errorf("claim %s is bound to no volume: this node makes none, so create a PersistentVolume with hostPath", name)
	}
	v, err := l.client.CoreV1().PersistentVolumes().Get(l.ctx, claim.Spec.VolumeName, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	path, err := folderOf(&v.Spec)
	if err != nil {
		return "", fmt.Errorf("claim %s: volume %s: %w", name, v.Name, err)
	}
	return path, nil
}

// folderOf returns the folder of this machine that a volume is.
func folderOf(v *corev1.PersistentVolumeSpec) (string, error) {
	switch {
	case v.HostPath != nil:
		return v.HostPath.Path, checkHostPath(v.HostPath)
	case v.Local != nil:
		return v.Local.Path, nil
	}
	return "", errors.New("this node has volumes with hostPath or local only")
}
