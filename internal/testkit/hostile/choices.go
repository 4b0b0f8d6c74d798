// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Choices takes a fuzzer's bytes for decisions: which part to take, how often,
// what to break. Random bytes hardly ever are a file that is read to its end;
// a file that is put together by decisions is. After the last byte come zeros.
type Choices struct{ rest []byte }

// NewChoices returns the decisions that are in bytes.
func NewChoices(bytes []byte) *Choices { return &Choices{bytes} }

// Byte returns the next byte.
func (c *Choices) Byte() byte {
	if len(c.rest) == 0 {
		return 0
	}
	b := c.rest[0]
	c.rest = c.rest[1:]
	return b
}

// Below returns a number of 0 to n-1, and 0 for n of 0 or less.
func (c *Choices) Below(n int) int {
	switch {
	case n <= 0:
		return 0
	case n <= 256:
		return int(c.Byte()) % n
	}
	return (int(c.Byte())<<8 | int(c.Byte())) % n
}

// Pick returns one of a list.
func Pick[T any](c *Choices, from []T) T { return from[c.Below(len(from))] }

// Mutated is Mutate of decoded JSON by decisions. It returns nil if the result would be
// larger than a megabyte: what is in it twice may grow without end.
func Mutated(c *Choices, object map[string]any) map[string]any {
	tree := Mutate(rand.New(rand.NewPCG(uint64(c.Below(1<<16)), uint64(c.Below(1<<16)))), object)
	left := 1 << 20
	if spend(tree, &left); left < 0 {
		return nil
	}
	return tree
}

// spend takes about the length of a value from what is left.
func spend(v any, left *int) {
	switch v := v.(type) {
	case map[string]any:
		for name, one := range v {
			if *left -= len(name); *left >= 0 {
				spend(one, left)
			}
		}
	case []any:
		for _, one := range v {
			if *left >= 0 {
				spend(one, left)
			}
		}
	case string:
		*left -= len(v)
	}
	*left -= 8
}

// ForASecond calls try with random bytes for a second, in every run with the
// same ones. It fails the test if try accepts none of what it makes of them.
func ForASecond(t *testing.T, try func(t *testing.T, decisions []byte) (accepted bool)) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	tried, accepted := 0, 0
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); tried++ {
		decisions := make([]byte, random.IntN(120))
		for i := range decisions {
			decisions[i] = byte(random.Uint32())
		}
		if try(t, decisions) {
			accepted++
		}
	}
	t.Logf("%d tried, %d of them accepted", tried, accepted)
	if accepted == 0 {
		t.Error("none was accepted: what these bytes decide reaches nothing")
	}
}
