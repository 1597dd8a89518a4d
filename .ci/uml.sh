#!/usr/bin/env bash
# Runs the tests on Linux of another release as a process, Debian's package
# user-mode-linux. It boots in about 10 s, runs at native speed on one CPU, and has
# loopbacks for vsock and SCTP, AF_ALG, and a user who may load modules.
#
#	.ci/uml.sh VERSION [PATTERN]
#
# VERSION: 5.10, 6.1, 6.12, unstable (Debian's, the newest). PATTERN is for go test -run;
# the default is everything.
# Environment: PACKAGES (linux_packages of lib.sh), BEFORE, a command that the
# kernel is run by way of, LIMIT in seconds for each package (900), SKIP, OUT, CACHE, RESULTS as in lib.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. .ci/lib.sh

version=$1 pattern=${2:-.}
export LIMIT=${LIMIT:-900}
need ip iproute2
workspace
packages=${PACKAGES:-$(linux_packages)}
# Names of packages are words.
# shellcheck disable=SC2086
build_tests "$work/bin" ${packages//,/ }
get_uml "$version"

{
	uml_root
	load_modules "$work/m"
	printf 'chroot . /bin/bash %q\nhalt -f\n' "$work/run"
} >"$work/init"
{
	printf 'ip link set lo up; echo "kernel $(uname -r)"\n'
	run_list "$work/bin" "$pattern"
} >"$work/run"

boot_uml "$((4 * LIMIT))"
report "Linux $version, user-mode" "$(sed -n 's/\r$//; s/^kernel //p' "$work/out")" "$work/out"
