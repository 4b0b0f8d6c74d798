// SPDX-License-Identifier: Apache-2.0

package budget

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestErrorsNameTheLimitThatHolds(t *testing.T) {
	message := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	got := map[string]string{
		"what the container allows":   message(New(Limits{Memory: 1 << 20}, 1).Alloc(1<<20 + 1)),
		"all that it allows":          message(New(Limits{Memory: 1 << 20}, 1).Alloc(1 << 20)),
		"what the file's size allows": message(New(DefaultLimits, 1).Alloc(freeBytes + bytesStored + 1)),
		"more steps":                  message(New(DefaultLimits, 1).Work(freeSteps + stepsPerByte + 1)),
		"more bytes than compress":    message(New(DefaultLimits, 1).Consume(freeBytes + maxRatio + 1)),
	}
	want := map[string]string{
		"what the container allows":   "the model needs more memory than the 1048576 bytes that loading may take here",
		"all that it allows":          "",
		"what the file's size allows": "the file makes more than any model of its size holds: 67109120 bytes",
		"more steps":                  "reading the file takes more work than any model of its size needs",
		"more bytes than compress":    "the file holds more than any model of its size",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

// What is charged and released in any order leaves what was there, and never more than
// the limit.
func TestMemoryIsNeverLostAndNeverMade(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		b := New(Limits{Memory: 1 << 27}, int64(r.IntN(1<<10)))
		var held []int
		charged, allowed := int64(0), b.Left()
		for range 200 {
			switch n := r.IntN(1 << 20); r.IntN(3) {
			case 0:
				if b.Alloc(n) == nil {
					held, charged = append(held, n), charged+int64(n)
				}
			case 1:
				if len(held) > 0 {
					at := r.IntN(len(held))
					b.Release(held[at])
					charged -= int64(held[at])
					held = slices.Delete(held, at, at+1)
				}
			default:
				if b.Consume(n/64) == nil {
					allowed = min(allowed+bytesConsumed*int64(n/64), 1<<27)
				}
			}
			if b.Left() != allowed-charged || b.Left() < 0 {
				t.Fatalf("%d left of %d, and %d charged", b.Left(), allowed, charged)
			}
		}
	}
}

func TestStopEndsALoad(t *testing.T) {
	stopped := errors.New("stopped")
	asked := 0
	b := New(Limits{Memory: 1 << 30, Stop: func() error { asked++; return stopped }}, 1<<20)
	for range 3 * pollSteps {
		if err := b.Work(1); err != nil && !errors.Is(err, stopped) {
			t.Fatal(err)
		}
	}
	if asked < 3 || asked > 4 {
		t.Errorf("asked %d times in three intervals", asked)
	}
}

func TestFilesAreChargedBeforeTheyAreRead(t *testing.T) {
	data, b, err := Read(strings.NewReader("model"), 5, Limits{Memory: 8})
	if err != nil || string(data) != "model" || b.Left() != 3 {
		t.Errorf("%q, %v", data, err)
	}
	if _, _, err := Read(strings.NewReader("model"), 9, Limits{Memory: 8}); !errors.Is(err, ErrMemory) {
		t.Errorf("error %v, want %v", err, ErrMemory)
	}
	if _, _, err := Read(strings.NewReader("mod"), 5, Limits{Memory: 8}); err == nil || err.Error() != "read the file: unexpected EOF" {
		t.Errorf("error %v of a file that is shorter than it was", err)
	}
}
