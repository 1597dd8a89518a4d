#!/usr/bin/env bash
# Runs the tests in gVisor, a kernel in user space that many container services put
# under their users.
#
#	.ci/gvisor.sh [PATTERN]
#
# Environment: NET=sandbox (gVisor's own network stack, the default), host or none,
# PACKAGES (root, internal, examples), LIMIT in seconds (1800), OUT, CACHE, RESULTS as in lib.sh. It builds
# runsc, which takes some 5 minutes the first time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. .ci/lib.sh

version=v0.0.0-20260905035102-160fafc42237
pattern=${1:-.}
network=${NET:-sandbox}
runsc=$CACHE/runsc-$version
if [[ ! -x $runsc ]]; then
	GOBIN=$CACHE CGO_ENABLED=0 go install "gvisor.dev/gvisor/runsc@$version"
	mv "$CACHE/runsc" "$runsc"
fi
need ip iproute2
need iptables iptables

workspace
build_tests "$work/bin" ${PACKAGES:-. ./internal/... ./examples ./examples/restart ./examples/gateway}
{
	printf 'ip link set lo up 2>/dev/null; echo "kernel $(uname -r)"\n'
	run_list "$work/bin" "$pattern"
} >"$work/run"
# By way of a pipe: processes in gVisor overwrite each other's output in a file.
timeout "$((2 * ${LIMIT:-1800}))" "$runsc" --ignore-cgroups --network="$network" --platform="${PLATFORM:-systrap}" \
	do --cwd "$work" /bin/bash "$work/run" 2>&1 </dev/null | cat >"$work/out" || true
report "gVisor, network $network" "$(sed -n 's/^kernel //p' "$work/out")" "$work/out"
