// SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package vector

const fast = false

func fourFast(*float64, int, *float64, int, *float64, *float64, int, int) {}

func apartFast(*float64, int, *float64, int, *float64, int, int) {}

func lanesFast(*float64, int, *float64, int, *float64, int, int) {}

func blocksFast(*float64, int, *float64, int, *float64, int, int) {}

func withinFast(*float64, int, float64) bool { return true }

func singlesFast(*float32, *float64, int) {}

func expFast(*float64, int) {}
