#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Measures against the budgets in the documents and against the peers, one
# program after the other. The router's peers are nginx and HAProxy, its load is
# wrk; bench/router says how to install them.
set -euo pipefail
bin=${SERIN_BIN:-bin}
echo "== starts, memory, apply to Ready"
go run ./bench/up -bin "$bin"
echo "== cold starts: the first request to a service at zero replicas"
go run ./bench/coldstart -bin "$bin"
echo "== model server: the iris request against a constant"
go run ./bench/modelserver
echo "== router and queue: CPU per request and added latency against nginx and HAProxy"
go run ./bench/router
echo "== rollouts under load"
go run ./bench/rollout -bin "$bin" -cycles 20
