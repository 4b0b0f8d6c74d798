#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes a virtual environment for each list of packages, in the user's cache:
# tools/python.sh NAME LIST... prints the folder that holds them, ~/.cache/serin-NAME/KEY.
# It prints nothing if there is no Python that all of the packages run on.
set -euo pipefail
name=$1
shift

python=""
for each in python3 python3.12 python3.11; do
	if "$each" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null; then
		python=$each
		break
	fi
done
if [ -z "$python" ]; then
	exit 0
fi

# A changed list makes new environments and removes the old ones.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/serin-$name
folder=$cache/$(cat <("$python" -VV) "$@" | sha256sum | cut -c -12)
if [ ! -e "$folder/complete" ]; then
	rm -rf "$cache"
	for list in "$@"; do
		environment=$folder/$(basename "$list" .txt)
		echo "Installing the packages of $list into $environment." >&2
		"$python" -m venv "$environment"
		"$environment/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary :all: -r "$list" >&2
	done
	touch "$folder/complete"
fi
echo "$folder"
