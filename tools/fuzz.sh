#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs every fuzz test of the repository for a while, one after the other, and
# goes on after a failure: its input is in testdata/fuzz, ready to be committed.
#
#   tools/fuzz.sh TIME [NAME]
#
# NAME is a regular expression of the tests to run, such as FuzzXZ.
set -uo pipefail
time=$1
only=${2:-}
failed=()
while IFS=: read -r file name; do
	printf '== %s %s\n' "$(dirname "$file")" "$name"
	go test -run='^$' -fuzz="^$name\$" -fuzztime="$time" -fuzzminimizetime=5s "./$(dirname "$file")" || failed+=("$name")
done < <(grep -rEo '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' api cmd internal |
	sed 's/func //' | grep -E ":.*${only}" | sort)
if ((${#failed[@]})); then
	echo "failed: ${failed[*]}"
	exit 1
fi
