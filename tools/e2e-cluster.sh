#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the stories of e2e in a cluster: e2e-cluster.sh CLUSTER-PROGRAM PREFIX VERSION
#
# Without KUBECONFIG that is the cluster of `make cluster`, which gets the
# images PREFIX/NAME:VERSION of this commit, and of an earlier one to upgrade
# from. With KUBECONFIG, its nodes must be able to pull PREFIX/NAME:VERSION,
# and the image client of e2e/cluster/client.
set -euo pipefail
cluster=$1 prefix=$2 version=$3
previous=${SERIN_E2E_PREVIOUS:-}
earlier=831e52c # the last one with a Deployment and a Service for each revision of history

# images VERSION SOURCES [FLAGS]: builds and loads them.
images() {
	go -C "$2/tools" run ./images -version "$1" -prefix "$prefix" -arch "$(go env GOARCH)" -out "$PWD/bin/cluster/images/$1" "${@:3}" >/dev/null
	"$cluster" load "bin/cluster/images/$1"/*.tar
	rm -r "bin/cluster/images/$1"
}

if [ -z "${KUBECONFIG:-}" ]; then
	export KUBECONFIG=${SERIN_CLUSTER_DIR:-/var/tmp/serin-cluster}/super-admin.conf
	if [ ! -e "$KUBECONFIG" ]; then
		echo "there is no cluster: make cluster, or name one with KUBECONFIG" >&2
		exit 1
	fi
	export SERIN_E2E_HERE=yes
	echo "Images of $version."
	images "$version" . -programs controller,router,queue,fetch,modelserver,e2e/cluster/client
	# A shallow clone may have only the commit before.
	if [ -z "$previous" ] && before=$(git rev-parse --verify --quiet $earlier^{commit} || git rev-parse --verify --quiet HEAD~1); then
		echo "Images of $(git describe --always "$before"), to upgrade from."
		previous=$(mktemp -d)
		git worktree add --quiet --detach "$previous" "$before"
		trap 'git worktree remove --force "$previous"' EXIT
		images "before" "$previous"
		go -C "$previous" build -ldflags '-s -w' -o "$previous/serin-before" ./cmd/kubectl-serin
		export SERIN_E2E_PREVIOUS=$previous/serin-before
	fi
fi
export SERIN_E2E_KUBECONFIG=$KUBECONFIG SERIN_E2E_IMAGES=$prefix:$version SERIN_BIN=$PWD/bin
unset KUBECONFIG
PATH=$PWD/bin/cluster:$PATH # Helm
go test ./e2e -count=1 -timeout 20m -v -run 'TestScripts' "${@:4}"
