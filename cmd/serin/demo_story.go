// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"
)

// Names in the walk-through's manifests.
const (
	demoDomain    = "example.com"
	demoNamespace = "kserve-test"
	demoService   = "sklearn-iris"
	demoFirst     = "sklearn-iris-predictor-00001"
	demoSecond    = "sklearn-iris-predictor-00002"
	demoThird     = "sklearn-iris-predictor-00003"
)

// play plays the walk-through.
func (d *demo) play(ctx context.Context) error {
	for i, step := range []func(context.Context) error{
		d.firstModel, d.predict, d.canary, d.promote, d.rollBack, d.tags, d.events,
	} {
		if i > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(d.pace):
			}
		}
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) firstModel(ctx context.Context) error {
	d.say("A namespace, and a scikit-learn model from a bucket.")
	for _, command := range [][]string{
		{"create", "namespace", demoNamespace},
		{"config", "set-context", "--current", "--namespace=" + demoNamespace},
	} {
		if err := d.kubectl(ctx, command...); err != nil {
			return err
		}
	}
	if err := d.cat("sklearn-iris.yaml"); err != nil {
		return err
	}
	return d.apply(ctx, "sklearn-iris.yaml", "100% "+demoFirst)
}

func (d *demo) predict(ctx context.Context) error {
	d.say("Two flowers, measured in centimetres. Which iris are they?")
	d.command("export INGRESS_HOST=%s INGRESS_PORT=%d", d.router.IP, d.router.Port)
	if err := d.cat("iris-input.json"); err != nil {
		return err
	}
	return d.curl(ctx, demoService, demoFirst)
}

func (d *demo) canary(ctx context.Context) error {
	d.say("A canary: a new model gets a tenth of the traffic, once it is ready.")
	if err := d.diff("sklearn-iris.yaml", "canary.yaml"); err != nil {
		return err
	}
	if err := d.apply(ctx, "canary.yaml", "10% "+demoSecond+", 90% "+demoFirst); err != nil {
		return err
	}
	return d.count(ctx, 1000, map[string]int{demoFirst: 900, demoSecond: 100})
}

func (d *demo) promote(ctx context.Context) error {
	d.say("Promotion: without canaryTrafficPercent, all traffic goes to the new model.")
	if err := d.diff("canary.yaml", "promoted.yaml"); err != nil {
		return err
	}
	if err := d.apply(ctx, "promoted.yaml", "100% "+demoSecond); err != nil {
		return err
	}
	fmt.Fprintln(d.out, "  (The first revision stays warm for half a minute, and then ends.)")
	return d.count(ctx, 1000, map[string]int{demoSecond: 1000})
}

func (d *demo) rollBack(ctx context.Context) error {
	d.say("Rollback: 0% for the model that has all traffic pins the model before it.\n" +
		"# This manifest has lost its args and runtime as well, so it is a revision of its own.")
	if err := d.diff("promoted.yaml", "pinned.yaml"); err != nil {
		return err
	}
	if err := d.apply(ctx, "pinned.yaml", "0% "+demoThird+", 100% "+demoFirst); err != nil {
		return err
	}
	return d.count(ctx, 1000, map[string]int{demoFirst: 1000})
}

func (d *demo) tags(ctx context.Context) error {
	d.say("Tags: a tenth for the new model again, and an address for each of the two.")
	if err := d.diff("pinned.yaml", "tags.yaml"); err != nil {
		return err
	}
	if err := d.apply(ctx, "tags.yaml", "10% "+demoThird+", 90% "+demoFirst); err != nil {
		return err
	}
	if err := d.component(ctx); err != nil {
		return err
	}
	if err := d.curl(ctx, "latest-"+demoService+"-predictor", demoThird); err != nil {
		return err
	}
	return d.curl(ctx, "prev-"+demoService+"-predictor", demoFirst)
}

func (d *demo) events(ctx context.Context) error {
	d.say("What happened, and why.")
	return d.kubectl(ctx, "get", "events", "--field-selector=involvedObject.kind=InferenceService",
		"-o", "custom-columns=REASON:.reason,MESSAGE:.message")
}
