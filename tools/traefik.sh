#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds Traefik, a gateway for the tests: traefik.sh VERSION PROGRAM
#
# `go install` cannot: its go.mod replaces modules, and the pages of its
# dashboard, which it embeds, are not in its module. It gets an empty one.
set -euo pipefail
program=$PWD/$2
[ "$(cat "$program.version" 2>/dev/null)" != "$1" ] || exit 0
module=$(go mod download -json "github.com/traefik/traefik/v3@$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
cp -r "$module/." "$source"
chmod -R u+w "$source"
mkdir -p "$source/webui/static"
touch "$source/webui/static/index.html"
go -C "$source" build -trimpath -ldflags '-s -w' -o "$program" ./cmd/traefik
echo "$1" >"$program.version"
