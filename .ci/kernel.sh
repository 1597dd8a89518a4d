#!/usr/bin/env bash
# Runs the tests on a Debian kernel of another release, which an emulator boots on this
# machine's own files: Debian's package qemu-system-x86, without KVM. It boots in half a
# minute; what computes takes some ten times as long as natively.
#
#	.ci/kernel.sh VERSION [PATTERN]
#
# VERSION: 5.10, 6.1, 6.12, newest (of Debian's backports), or a folder in which the
# packages of a kernel were unpacked. PATTERN is for go test -run; the default is
# everything. Environment: PACKAGES, for each of which, separated by commas, the kernel
# is booted (linux_packages of lib.sh), BEFORE, a command that the emulator is
# run by way of, SMP (2), its processors, LIMIT in seconds for each boot (1800), SKIP,
# OUT, CACHE, RESULTS as in lib.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. .ci/lib.sh

version=$1 pattern=${2:-.}
need depmod kmod
need cpio cpio
need xz xz-utils
need qemu-system-x86_64 qemu-system-x86
need busybox busybox-static
need ip iproute2

kernel=$version
if [[ ! -d $kernel ]]; then
	kernel=$CACHE/kernel-$version
fi
if [[ ! -d $kernel ]]; then
	debian "$version"
	image=$(apt-cache "${debian[@]}" depends linux-image-amd64 | awk '!found && $2 ~ /^linux-image-[0-9]/ { print $2; found = 1 }')
	# Since 7.3 what was one package is some. Names of packages are words.
	# shellcheck disable=SC2046
	unpack "$kernel" "$image" $(apt-cache "${debian[@]}" depends "$image" | awk '$2 ~ /^linux-(base|binary|modules)-[0-9]/ { print $2 }')
fi
image=$(find "$kernel" -name 'vmlinuz*' -print -quit)
modules=$(find "$kernel" -path '*/lib/modules/*' -prune -print -quit)
release=${modules##*/}

workspace
mkdir -p "$work/m/lib"
ln -s "${modules%/*}" "$work/m/lib/modules"
[[ -e $modules/modules.dep ]] || depmod -b "$work/m" "$release"

# Process 1 mounts this machine's files by way of the emulator, and puts a layer in
# memory over them. The modules which that takes are in the initramfs, in their order.
initramfs=$work/initramfs
mkdir -p "$initramfs/bin" "$initramfs/host" "$initramfs/mnt" "$initramfs/modules"
cp "$(command -v busybox)" "$initramfs/bin/busybox"
n=100
for module in $(for name in virtio_pci 9pnet_virtio 9p overlay; do
	modprobe -d "$work/m" -S "$release" --show-depends "$name"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'); do
	case $module in
	*.xz) xz -dc "$module" ;;
	*) cat "$module" ;;
	esac >"$initramfs/modules/$((n++)).ko"
done
cat >"$initramfs/init" <<END
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
for m in /modules/*; do insmod \$m; done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=512000,cache=loose host /host
mount -t tmpfs tmpfs /mnt; mkdir /mnt/up /mnt/work /mnt/root
mount -t overlay -o lowerdir=/host,upperdir=/mnt/up,workdir=/mnt/work overlay /mnt/root
cd /mnt/root
mount -t proc proc proc; mount -t sysfs sys sys; mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t devtmpfs dev dev; mkdir -p dev/pts dev/shm
mount -t devpts devpts dev/pts; mount -t tmpfs tmpfs dev/shm; mount -t tmpfs tmpfs run
export PATH=$PATH HOME=/root
mount -o move . / # as in a chroot no user may make a user namespace
chroot . /bin/bash $work/run
poweroff -f
END
chmod +x "$initramfs/init"
(cd "$initramfs" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd"

# boot runs that kernel with $work/run, and writes what it prints to $work/boot.
boot() {
	# A command is words.
	# shellcheck disable=SC2086
	${BEFORE:-} timeout "$((${LIMIT:-1800} + 120))" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp "${SMP:-2}" -m 3G \
		-nodefaults -nographic -no-reboot -serial stdio -monitor none \
		-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
		-kernel "$image" -initrd "$work/initrd" -append "console=ttyS0 mitigations=off panic=-1 loglevel=1 quiet" \
		</dev/null 2>&1 | tr -d '\r' >"$work/boot" || true
}

: >"$work/out"
IFS=, read -r -a boots <<<"${PACKAGES:-$(linux_packages)}"
for packages in "${boots[@]}"; do
	rm -rf "${work:?}/bin"
	# Names of packages are words.
	# shellcheck disable=SC2086
	build_tests "$work/bin" $packages
	{
		echo echo
		load_modules "$work/m"
		printf 'ip link set lo up; echo "kernel $(uname -r)"\n'
		run_list "$work/bin" "$pattern"
	} >"$work/run"
	# Some boots on two emulated processors end in a panic of the kernel before the tests.
	for _ in 1 2 3; do
		boot
		! grep -q '^kernel ' "$work/boot" || break
	done
	if ! grep -q '^finished$' "$work/boot"; then
		printf 'exit status of the boot with %s: not finished\n' "$packages" >>"$work/boot"
	fi
	cat "$work/boot" >>"$work/out"
done
report "Linux ${version##*/}, emulated" "$(sed -n 's/^kernel //p' "$work/out" | head -n 1)" "$work/out"
