// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"testing"
	"time"

	"github.com/serin-dev/serin/internal/setting"
)

func TestPace(t *testing.T) {
	p := newPace(100, 5*time.Second)
	if p.earn(1 << 30); p.left != 5*time.Second {
		t.Errorf("a burst saved up %v", p.left)
	}
	if !p.spend(4*time.Second) || p.spend(time.Second) {
		t.Error("the budget is not five seconds")
	}
	if p.earn(100); p.left != time.Second {
		t.Errorf("a second's bytes earn %v", p.left)
	}
	p = newPace(0, 5*time.Second) // any byte will do, as with nginx
	p.spend(4 * time.Second)
	if p.earn(0); p.left != time.Second {
		t.Errorf("no bytes earn, %v", p.left)
	}
	if p.earn(1); p.left != 5*time.Second {
		t.Errorf("a byte leaves %v", p.left)
	}
	p = newPace(100, 0) // no bound
	if !p.spend(time.Hour) || !p.until(time.Now()).IsZero() {
		t.Error("there is a bound")
	}
}

func TestInvalidLimitsAreRefused(t *testing.T) {
	var l Limits
	n := 0
	l.AddFlags(func(v *setting.Value, name, _ string) {
		if n++; v.Set("-1") == nil && v.Set("-1s") == nil {
			t.Errorf("--%s is taken below zero", name)
		}
		if err := v.Set("0"); err != nil {
			t.Errorf("--%s=0, no limit: %v", name, err)
		}
	})
	if l != (Limits{}) || n != 7 {
		t.Errorf("%d flags of zero make %+v", n, l)
	}
}
