#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds bin/serin and bin/serin-NAME for each NAME, and shows that it lives:
# a first build compiles all of Kubernetes and would be silent for minutes.
#
#   tools/build.sh LDFLAGS NAME...
set -euo pipefail
ldflags=$1
shift
mkdir -p bin
for name in "$@"; do
	go build -ldflags "$ldflags" -o "bin/serin-$name" "./cmd/$name"
done

# go build -v names each package that it compiles; nothing when all are cached.
total=$(go list -deps ./cmd/serin | wc -l)
start=$SECONDS
(go build -v -ldflags "$ldflags" -o bin/serin ./cmd/serin 2>&1 || echo "FAILED $?") | {
	done=0 failed=0 first=1
	while IFS= read -r line; do
		case $line in
		FAILED*) failed=${line#FAILED } ;;
		go:\ downloading*) printf '%s\n' "$line" ;;
		*[\ :]*) printf '%s\n' "$line" >&2 ;; # a package's name has neither: this is an error
		*)
			done=$((done + 1))
			if ((first && done > 20)); then
				echo "Compiling Kubernetes into bin/serin: about 10 minutes on 2 cores, once."
				first=0
			fi
			if ((done % 100 == 0)); then
				printf '  %4ds  %d packages compiled, of at most %d\n' $((SECONDS - start)) "$done" "$total"
			fi
			;;
		esac
	done
	exit "$failed"
}
echo "bin/: $(cd bin && echo *)"
