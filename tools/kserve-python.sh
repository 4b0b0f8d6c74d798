#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Compares the model server with KServe's, and runs the stories that need KServe's Python
# package or MLServer. It installs them into virtual environments in the user's cache:
# minutes and a gigabyte the first time. For a new version of KServe, change
# e2e/python/kserve.txt; go test ./internal/model/server -run AsRecorded -update, with
# the SERIN_PYTHON below, records what it answers.
set -euo pipefail
cd "$(dirname "$0")/.."
SERIN_PYTHON=$(tools/python.sh python e2e/python/*.txt)
if [ -z "$SERIN_PYTHON" ]; then
	echo "skipped the stories of KServe's client and servers: they need Python 3.11 or 3.12 with the module venv"
	exit 0
fi
export SERIN_PYTHON

# The version before runs on the same packages.
previous=$SERIN_PYTHON/kserve-0.20.0
if [ ! -e "$previous/complete" ]; then
	rm -rf "$previous"
	"$SERIN_PYTHON/kserve/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary :all: --target "$previous" kserve==0.20.0
	touch "$previous/complete"
fi

echo "Asking KServe's server and ours the same."
go test ./internal/model/server -count=1 -run KServe
PYTHONPATH=$previous go test ./internal/model/server -count=1 -run KServe
go test ./internal/model/python -count=1
go test ./e2e -count=1 -v -run 'TestScripts/python-' "$@"
