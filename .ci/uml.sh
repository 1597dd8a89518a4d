#!/usr/bin/env bash
# Runs tests on Linux 6.1 as a process, Debian's package user-mode-linux: the only
# kernel that CI has with loopbacks for vsock and SCTP, with AF_ALG, and with a user
# who may load modules. It boots in about 10 s and runs at native speed on one CPU.
#
#	.ci/uml.sh [PATTERN]
#
# PATTERN is for go test -run; the default is what no other environment runs, "."
# everything. Environment: PACKAGES (root, families and datagrams), LIMIT in seconds (900), OUT, a file for all of
# the output, CACHE, a folder for what is downloaded.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. .ci/lib.sh

pattern=${1:-Vsock|StreamFamil|ConnectNoWait|ConnectAfterRefusal|SCTP|ALG|UDPLite|TCPDefaults|Veth}
workspace
build_tests "$work/bin" ${PACKAGES:-. ./internal/test/family ./internal/test/datagram}
get_uml

{
	uml_root
	cat <<END
for m in ipv6 vsock_loopback hmac md5 sha1_generic sha256_generic sctp algif_hash algif_skcipher aes_generic cbc veth tun dummy; do
	modprobe -d $work/m \$m 2>/dev/null
done
chroot . /bin/bash $work/run
halt -f
END
} >"$work/init"
{
	printf 'ip link set lo up; echo "kernel $(uname -r)"\n'
	run_list "$work/bin" "$pattern"
} >"$work/run"

boot_uml
report 'user-mode-linux' "$(sed -n 's/\r$//; s/^kernel //p' "$work/out")" "$work/out"
