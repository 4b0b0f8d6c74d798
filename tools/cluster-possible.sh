#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Can this machine have the test cluster? If not, one line says why. It is for
# CI, which asks before it compiles a kubelet; `cluster check` knows better.
set -euo pipefail
no() { echo "$1"; exit 1; }
[ "$(uname -s)" = Linux ] || no "it is not Linux"
[ "$(id -u)" = 0 ] || no "not root"
command -v containerd >/dev/null || command -v apt-get >/dev/null || no "no containerd, and no apt-get to install it"
unshare --net --mount --pid --fork true 2>/dev/null || no "no namespaces"
