#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds bin/serin, bin/kubectl-serin and bin/serin-NAME for each NAME, and shows
# that it lives: a first build compiles all of Kubernetes and would be silent
# for minutes.
#
#   tools/build.sh LDFLAGS NAME...
set -euo pipefail
ldflags=$1
shift
mkdir -p bin
work=$(mktemp -d bin/.build.XXXXXX)
trap 'rm -rf "$work"' EXIT
packages=(./cmd/serin ./cmd/kubectl-serin "${@/#/./cmd/}")

# build names each package that it compiles; nothing when all are cached. The
# compiler's own garbage collection is a third of its time: memory is cheaper.
build() { GOGC=off GOMEMLIMIT=2GiB go build -v -ldflags "$ldflags" -o "$work/" "${packages[@]}" 2>&1 || echo "FAILED $?"; }

# progress counts those names, and passes on what is none: an error.
progress() {
	local total done=0 failed=0 start=$SECONDS line
	total=$(go list -deps "${packages[@]}" | wc -l)
	while IFS= read -r line; do
		case $line in
		FAILED*) failed=${line#FAILED } ;;
		go:\ downloading*) printf '%s\n' "$line" ;;
		*[\ :]*) printf '%s\n' "$line" >&2 ;; # a package's name has neither
		*)
			done=$((done + 1))
			if ((done == 100)); then # more than all of ours
				echo "Compiling Kubernetes: about 10 minutes on 2 cores, once."
			fi
			if ((done % 100 == 0)); then
				printf '  %4ds  %d packages compiled, of at most %d\n' $((SECONDS - start)) "$done" "$total"
			fi
			;;
		esac
	done
	return "$failed"
}

build | progress
for name in "$@"; do
	mv "$work/$name" "bin/serin-$name"
done
mv "$work/serin" "$work/kubectl-serin" bin/
echo "bin/: $(cd bin && echo *)"
