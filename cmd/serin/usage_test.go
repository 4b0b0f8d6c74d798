// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/serin-dev/serin/internal/cli/usage/usagetest"
)

func TestUnknownFlagsAndArgumentsAreRefused(t *testing.T) { usagetest.Check(t, command) }
