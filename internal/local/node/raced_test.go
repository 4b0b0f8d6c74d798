// SPDX-License-Identifier: Apache-2.0

//go:build race

package node

// raced: these tests, and the programs that they start, are built with the race
// detector.
const raced = true
