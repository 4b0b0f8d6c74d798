#!/usr/bin/env bash
# Downloads the models that published.txt lists into the cache, where TestPublished
# finds them. They belong to others, and are neither committed nor run.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/serin-published
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$cache"
while read -r package sum files; do
	[[ $package == \#* ]] && continue
	python3 -m pip download -q --no-deps --only-binary :all: -d "$work" "$package"
	wheel=$(ls "$work"/*.whl)
	echo "$sum  $wheel" | sha256sum --check --quiet
	# shellcheck disable=SC2086 # the files are words
	python3 -m zipfile -e "$wheel" "$work/all"
	for file in $files; do
		mkdir -p "$cache/$package/$(dirname "$file")"
		cp "$work/all/$file" "$cache/$package/$file"
	done
	rm -rf "$wheel" "$work/all"
done <"$here/published.txt"
find "$cache" -type f | wc -l
