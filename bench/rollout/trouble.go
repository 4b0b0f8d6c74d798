// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// trouble is what happens beside the rollouts.
type trouble struct {
	system *system
	rng    *rand.Rand

	deleted  int
	restarts int
	kills    []kill
	harmed   []string // Pods of which a process was killed
}

// kill is the end of a process of a revision.
type kill struct {
	revision    string
	began, gone time.Time
}

// run makes the trouble of a mode until ctx ends.
func (t *trouble) run(ctx context.Context, mode string) error {
	switch mode {
	case "delete-pods":
		return t.each(ctx, 3*time.Second, func() error { return t.harm(ctx, t.delete) })
	case "kill-processes":
		return t.each(ctx, 3*time.Second, func() error { return t.harm(ctx, t.killProcess) })
	case "restart-controller":
		return t.killControllers(ctx)
	}
	return nil
}

// each acts again and again, about once per period.
func (t *trouble) each(ctx context.Context, period time.Duration, act func() error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(period/2 + time.Duration(t.rng.Int64N(int64(period)))):
		}
		if err := act(); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// harm picks a ready Pod.
func (t *trouble) harm(ctx context.Context, how func(context.Context, *corev1.Pod) error) error {
	pods, err := t.system.pods(ctx)
	if err != nil {
		return err
	}
	pods = slices.DeleteFunc(pods, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil || !ready(&p) })
	if len(pods) == 0 {
		return nil
	}
	return how(ctx, &pods[t.rng.IntN(len(pods))])
}

func ready(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// delete deletes a Pod as `kubectl delete pod` does.
func (t *trouble) delete(ctx context.Context, p *corev1.Pod) error {
	err := t.system.clients.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	t.deleted++
	return err
}

// killProcess kills the model server or the queue of a Pod, in the way nobody
// can prepare for. The second time the Pod goes: a container that dies often is
// restarted late, and that would be all there is to see.
func (t *trouble) killProcess(ctx context.Context, p *corev1.Pod) error {
	if slices.Contains(t.harmed, p.Name) {
		return t.delete(ctx, p)
	}
	t.harmed = append(t.harmed, p.Name)
	container := v1beta1.ContainerModel
	if t.rng.IntN(2) == 0 {
		container = v1beta1.ContainerQueue
	}
	pid, err := t.process(p, container)
	if pid == 0 || err != nil {
		return err
	}
	k := kill{revision: p.Labels[v1beta1.LabelRevision], began: time.Now()}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill %s of %s: %w", container, p.Name, err)
	}
	for exists(pid) { // until its sockets are closed
		time.Sleep(time.Millisecond)
	}
	k.gone = time.Now()
	t.kills = append(t.kills, k)
	return nil
}

// process finds the process of a container by what the node put into its
// environment.
func (t *trouble) process(p *corev1.Pod, container string) (pid int, err error) {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil {
			continue // it ended, or is somebody else's
		}
		all := bytes.Split(env, []byte{0})
		has := func(e string) bool {
			return slices.ContainsFunc(all, func(b []byte) bool { return string(b) == e })
		}
		if has("SERIN_NODE_DIR="+filepath.Join(t.system.dir, "node")) && has("SERIN_POD_UID="+string(p.UID)) && has("SERIN_CONTAINER="+container) {
			return strconv.Atoi(filepath.Base(filepath.Dir(file)))
		}
	}
	return 0, nil
}

func exists(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err == nil
}

// killControllers runs the controller as a program of its own, kills it and
// starts it again.
func (t *trouble) killControllers(ctx context.Context) error {
	c, err := t.controller()
	if err != nil {
		return err
	}
	err = t.each(ctx, 3*time.Second, func() error {
		if err := c.Process.Kill(); err != nil {
			return fmt.Errorf("kill the controller: %w", err)
		}
		<-c.ended
		t.restarts++
		c, err = t.controller()
		return err
	})
	return errors.Join(err, c.stop())
}

func (t *trouble) controller() (*program, error) {
	s := t.system
	return launch(filepath.Join(s.bin, "serin-controller"), filepath.Join(s.dir, "controller.log"), "",
		"--kubeconfig", s.kubeconfig(), "--model-cache", filepath.Join(s.dir, "models"))
}
