#!/usr/bin/env bash
# Runs the tests many times on a busy machine, in random order and with the race
# detector: with a program on each core that does nothing but compute, and with one,
# two and four threads. A test that fails now and then is a fault.
#
#	[COUNT=20] [JOBS=4] .ci/flakes.sh [PACKAGE...]
#
# All packages unless named. JOBS test binaries run at once, each in a network
# namespace of its own, so that it takes less than a day; that needs root. It prints
# a line for each run, and keeps the output of those that fail in OUT, a folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. .ci/lib.sh
(($#)) || set -- ./...

workspace
out=${OUT:-$(mktemp -d /tmp/flakes.XXXXXX)}
mkdir -p "$out"
RACE=-race build_tests "$work/bin" "$@"
burners=()
for _ in $(seq "$(nproc)"); do
	while :; do :; done &
	burners+=($!)
done
trap 'kill "${burners[@]}"; rm -rf "$work"' EXIT

# run THREADS BINARY FOLDER NUMBER runs the tests of a package once.
run() {
	local log=$out/$2.$1.$4
	cd "$3"
	if GOMAXPROCS=$1 unshare -n bash -c 'ip link set lo up && exec "$@"' - \
		"$work/bin/$2" -test.shuffle=on -test.timeout 1h >"$log" 2>&1; then
		printf 'ok %s, GOMAXPROCS=%s, run %s\n' "$2" "$1" "$4"
		rm "$log"
	else
		printf 'FAILED %s, GOMAXPROCS=%s, run %s: %s\n' "$2" "$1" "$4" "$log"
		return 1
	fi
}
export -f run
export work out
for n in $(seq "${COUNT:-20}"); do
	for threads in 1 2 4; do
		awk -v t="$threads" -v n="$n" '{ print t, $1, $2, n }' "$work/bin/list"
	done
done | xargs -P "${JOBS:-4}" -L 1 bash -c 'run "$@" || exit 1' -
