// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
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

// trouble is the disturbances beside the rollouts.
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

// run makes the disturbances of a mode until ctx ends.
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

// each acts about once per period until ctx ends.
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
	pods = slices.DeleteFunc(pods, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil || v1beta1.PodReady(&p) == nil })
	if len(pods) == 0 {
		return nil
	}
	return how(ctx, &pods[t.rng.IntN(len(pods))])
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

// killProcess kills the model server or the queue of a Pod by SIGKILL. A Pod
// that was hit before is deleted: the node restarts a container that dies often
// only after a delay, and the test would see nothing but this delay.
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

// process finds the process of a container by the environment that the node
// gave it.
func (t *trouble) process(p *corev1.Pod, container string) (pid int, err error) {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil {
			continue // it ended, or belongs to another user
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
// starts it again. The last one is asked to end.
func (t *trouble) killControllers(ctx context.Context) error {
	c, err := t.controller()
	if err != nil {
		return err
	}
	err = t.each(ctx, 3*time.Second, func() error {
		_ = c.Process.Kill() // its state shows if it had ended before
		if _ = c.Wait(); c.ProcessState.Exited() {
			return t.ended(c)
		}
		t.restarts++
		c, err = t.controller()
		return err
	})
	if err != nil {
		return err
	}
	_ = c.Process.Signal(os.Interrupt) // likewise
	watchdog := time.AfterFunc(stopTimeout, func() { _ = c.Process.Kill() })
	defer watchdog.Stop()
	if err := c.Wait(); err != nil {
		return t.ended(c)
	}
	return nil
}

// controller starts one.
func (t *trouble) controller() (*exec.Cmd, error) {
	s := t.system
	log, err := os.OpenFile(t.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()                                           // the child has it
	c := exec.Command(filepath.Join(s.bin, "serin-controller"), //nolint:noctx // killControllers ends it
		"--kubeconfig", s.Kubeconfig, "--model-cache", filepath.Join(s.dir, "models"))
	c.Stdout, c.Stderr = log, log
	return c, c.Start()
}

func (t *trouble) log() string { return filepath.Join(t.system.dir, "controller.log") }

// ended is the error of a controller that ended by itself.
func (t *trouble) ended(c *exec.Cmd) error {
	out, _ := os.ReadFile(t.log())
	return fmt.Errorf("the controller ended with %s; it said:\n%s", c.ProcessState, out[max(0, len(out)-4000):])
}
