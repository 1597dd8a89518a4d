#!/usr/bin/env bash
# Runs the tests on this machine, with the Go that GOTOOLCHAIN says.
#
#	.ci/native.sh [PATTERN]
#
# Environment: PACKAGES (.), LIMIT in seconds (1800), SKIP, OUT, CACHE, RESULTS as in
# lib.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. .ci/lib.sh

workspace
build_tests "$work/bin" ${PACKAGES:-.}
run_list "$work/bin" "${1:-.}" >"$work/run"
timeout "$((2 * ${LIMIT:-1800}))" bash "$work/run" >"$work/out" 2>&1 </dev/null || true
report "${ENVIRONMENT:-$(go env GOVERSION), $(go env GOARCH)}" "$(uname -r | cut -d- -f1)" "$work/out"
