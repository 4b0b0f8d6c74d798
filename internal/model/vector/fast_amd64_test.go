// SPDX-License-Identifier: Apache-2.0

package vector

import "testing"

func TestProcessorsWithoutFastInstructionsComputeTheSame(t *testing.T) {
	defer func(was bool) { fast = was }(fast)
	fast = false
	TestProductsAreThoseOfDot(t)
	TestProductsOfInfinitiesAreThoseOfDot(t)
	TestDistancesAreThoseOfPairs(t)
	TestLanesAddInOrder(t)
	TestWithin(t)
	TestSinglesAreRoundedAsGoDoes(t)
	TestExp(t)
}
