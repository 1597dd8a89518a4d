#!/usr/bin/env bash
# Runs the tests of another architecture: 386 by itself, the others in an emulator,
# Debian's package qemu-user-static, on this machine's kernel.
#
#	.ci/arch.sh ARCH [PATTERN]
#
# ARCH is GOARCH: 386, arm64, arm, s390x (big-endian), riscv64. Environment: PACKAGES,
# all that are in the list below, LIMIT in seconds (1800), SKIP, a pattern of tests to
# leave out, OUT, CACHE, RESULTS as in lib.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. .ci/lib.sh

arch=$1 pattern=${2:-.}
case $arch in
386) qemu= ;;
arm64) qemu=aarch64 ;;
*) qemu=$arch ;;
esac
if [[ -n $qemu ]]; then
	need "qemu-$qemu-static" qemu-user-static
	# Tests start themselves as other processes, so the kernel has to know the
	# emulator.
	misc=/proc/sys/fs/binfmt_misc
	[[ -e $misc/register ]] || mount -t binfmt_misc none "$misc"
	if [[ ! -e $misc/qemu-$qemu ]]; then
		cat "/usr/lib/binfmt.d/qemu-$qemu.conf" >"$misc/register"
	fi
fi

workspace
GOARCH=$arch build_tests "$work/bin" ${PACKAGES:-. ./internal/... ./sockopt ./activation ./upgrade ./compat}
run_list "$work/bin" "$pattern" >"$work/run"
timeout "$((2 * ${LIMIT:-1800}))" bash "$work/run" >"$work/out" 2>&1 </dev/null || true
report "$arch${qemu:+, qemu-user}" "$(uname -r | cut -d- -f1)" "$work/out"
