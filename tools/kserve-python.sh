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
lists=e2e/python

# Both packages run on these versions of Python.
python=""
for each in python3 python3.12 python3.11; do
	if "$each" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null; then
		python=$each
		break
	fi
done
if [ -z "$python" ]; then
	echo "skipped the stories of KServe's client and servers: they need Python 3.11 or 3.12 with the module venv"
	exit 0
fi

# A changed list makes a new environment and removes the old ones.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/serin-python
key=$(cat <("$python" -VV) $lists/*.txt | sha256sum | cut -c -12)
export SERIN_PYTHON=$cache/$key
if [ ! -e "$SERIN_PYTHON/complete" ]; then
	rm -rf "$cache"
	for list in "$lists"/*.txt; do
		environment=$SERIN_PYTHON/$(basename "$list" .txt)
		echo "Installing the packages of $list into $environment."
		"$python" -m venv "$environment"
		"$environment/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary :all: -r "$list"
	done
	touch "$SERIN_PYTHON/complete"
fi

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
go test ./e2e -count=1 -v -run 'TestScripts/python-' "$@"
