#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Writes the fields of KServe's types into api/crd/testdata/kserve-fields.txt, with
# which a test compares Serin's schemas. With --check it fails if the file differs.
# It needs python3 with pip, and downloads one wheel.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.21.0
list=api/crd/testdata/kserve-fields.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$work" "kserve==$version"
{
	echo "# Fields of KServe $version, by tools/kserve-fields.sh; do not edit."
	python3 tools/kserve-fields.py "$work"/kserve-"$version"-*.whl
} >"$work/list"
if [ "${1:-}" != --check ]; then
	mkdir -p "$(dirname "$list")"
	cp "$work/list" "$list"
elif ! diff -u "$list" "$work/list"; then
	echo "$list is out of date: run tools/kserve-fields.sh and commit" >&2
	exit 1
fi
