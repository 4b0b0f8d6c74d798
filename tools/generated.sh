#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Fails when the committed generated files are not what `make generate` makes.
set -euo pipefail
before=$(git status --porcelain)
go generate ./...
go mod tidy -diff
after=$(git status --porcelain)
if [ "$before" != "$after" ]; then
	git --no-pager diff --stat
	echo "generated files are out of date: run 'make generate' and commit" >&2
	exit 1
fi
