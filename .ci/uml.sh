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

pattern=${1:-Vsock|StreamFamil|ConnectNoWaitFamilies|ConnectNoWaitRefused|ConnectAfterRefusal|SCTP|ALG|UDPLite|TCPDefaults|Veth}
need depmod kmod
uml=$CACHE/uml
if [[ ! -x $uml/usr/bin/linux.uml ]]; then
	mkdir -p "$uml"
	(
		cd "$uml"
		apt-get update -qq
		apt-get download -qq user-mode-linux
		dpkg-deb -x user-mode-linux_*.deb .
	)
fi

workspace
build_tests "$work/bin" ${PACKAGES:-. ./internal/test/family ./internal/test/datagram}
mkdir -p "$work/m/lib"
ln -s "$uml/usr/lib/uml/modules" "$work/m/lib/modules"
release=$(ls "$uml/usr/lib/uml/modules")
depmod -b "$work/m" "$release"

# Process 1 of the kernel puts a layer in memory over this machine's own files.
cat >"$work/init" <<END
#!/bin/bash
export PATH=$PATH HOME=/root
mount -t proc proc /proc; mount -t sysfs sys /sys
modprobe -d $work/m overlay
mount -t tmpfs tmpfs /mnt; mkdir /mnt/up /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/up,workdir=/mnt/work overlay /mnt/root
cd /mnt/root
mount -t proc proc proc; mount -t sysfs sys sys; mount -t devtmpfs dev dev
mkdir -p dev/pts dev/shm; mount -t devpts devpts dev/pts
for m in ipv6 vsock_loopback hmac md5 sha1_generic sha256_generic sctp algif_hash algif_skcipher aes_generic cbc veth tun dummy; do
	modprobe -d $work/m \$m 2>/dev/null
done
chroot . /bin/bash $work/run
halt -f
END
chmod +x "$work/init"
{
	printf 'ip link set lo up; echo "kernel $(uname -r)"\n'
	run_list "$work/bin" "$pattern"
} >"$work/run"

(cd "$work" && TMPDIR=/tmp timeout "${LIMIT:-900}" "$uml/usr/bin/linux.uml" mem=2G root=root rootfstype=hostfs \
	rootflags=/ ro init="$work/init" con=null con0=null,fd:1 quiet </dev/null 2>&1) >"$work/out" || true
report 'user-mode-linux' "$(sed -n 's/\r$//; s/^kernel //p' "$work/out")" "$work/out"
