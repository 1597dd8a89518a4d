#!/usr/bin/env bash
# Runs the tests many times on a busy machine, in random order and with the race
# detector: with a program on each core that does nothing but compute, and with one,
# two and four threads. A test that fails now and then is a fault.
#
# usage: [COUNT=20] flakes.sh [PACKAGE...], all of them unless named
set -euo pipefail
cd "$(git -C "$(dirname "${BASH_SOURCE[0]}")" rev-parse --show-toplevel)"
(($#)) || set -- ./...

burners=()
trap 'kill "${burners[@]}"' EXIT
for _ in $(seq "$(nproc)"); do
	while :; do :; done &
	burners+=($!)
done
status=0
for threads in 1 2 4; do
	printf '\n=== GOMAXPROCS=%d\n' "$threads"
	GOMAXPROCS=$threads go test -race -shuffle=on -count="${COUNT:-20}" -timeout 4h "$@" || status=1
done
exit $status
