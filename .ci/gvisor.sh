#!/usr/bin/env bash
# Runs the tests in gVisor, a kernel in user space that many container services put
# under their users.
#
#	.ci/gvisor.sh [PATTERN]
#
# Environment: NET=sandbox (gVisor's own network stack, the default), host or none,
# PACKAGES (all of the module), LIMIT in seconds for each package (600), WITH, a command
# to run each sandbox with, such as nice, OUT, CACHE, RESULTS as in lib.sh. Each package
# has a sandbox of its own, so that one that hangs costs no other. It builds runsc, which
# takes some 5 minutes the first time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. .ci/lib.sh

version=v0.0.0-20260905035102-160fafc42237
pattern=${1:-.}
network=${NET:-sandbox}
export LIMIT=${LIMIT:-600}
runsc=$CACHE/runsc-$version
if [[ $network == host ]]; then
	# recvmsg(2) with too little room for IP_PKTINFO or IPV6_PKTINFO ends the sandbox, which
	# nothing in it can find out.
	SKIP=${SKIP:-^(TestDatagrams|FuzzDatagrams|TestOffloadLittleRoomForControlData)\$}
fi
if [[ ! -x $runsc ]]; then
	GOBIN=$CACHE CGO_ENABLED=0 go install "gvisor.dev/gvisor/runsc@$version"
	mv "$CACHE/runsc" "$runsc"
fi
need ip iproute2
need iptables iptables

workspace
build_tests "$work/bin" ${PACKAGES:-./...}
# in_gvisor FILE runs the commands in FILE. By way of a pipe: processes in gVisor
# overwrite each other's output in a file.
in_gvisor() {
	${WITH:-} timeout -k 10 "$((LIMIT + 60))" "$runsc" --ignore-cgroups --network="$network" --platform="${PLATFORM:-systrap}" \
		do --cwd "$work" /bin/bash "$1" 2>&1 </dev/null | cat || true
}
run_list "$work/bin" "$pattern" | sed '$d' >"$work/list"
{
	echo 'echo "kernel $(uname -r)"' >"$work/run"
	in_gvisor "$work/run"
	while read -r line; do
		printf 'ip link set lo up 2>/dev/null; %s\n' "$line" >"$work/run"
		in_gvisor "$work/run" >"$work/one"
		cat "$work/one"
		if ! grep -q '^exit status of ' "$work/one"; then
			printf 'exit status of %s: none, it did not end\n' "$line"
		fi
	done <"$work/list"
	echo finished
} >"$work/out"
report "gVisor, network $network" "$(sed -n 's/^kernel //p' "$work/out")" "$work/out"
