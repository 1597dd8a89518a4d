#!/usr/bin/env bash
# Runs services under systemd as process 1, on Linux 6.1 as a process, see .ci/uml.sh: the
# units of the examples, and services of internal/test/systemd. The systemd is that of
# this machine's files.
#
#	.ci/systemd.sh [PATTERN]
#
# PATTERN is for go test -run. Environment: LIMIT in seconds (600), OUT, a file for all of the
# output, CACHE, a folder for what is downloaded.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. .ci/lib.sh

LIMIT=${LIMIT:-600}
need systemctl systemd
need dbus-daemon dbus
workspace
build_tests "$work/bin" ./internal/test/systemd
CGO_ENABLED=0 go build -o "$work/examples/" ./examples/restart ./examples/activated
get_uml 6.1

# What a machine has that boots, such as disks and users, is left out: systemd starts the
# journal and the tests alone.
{
	uml_root
	cat <<END
units=lib/systemd/system
rm -rf etc/systemd/system etc/fstab \$units/*.target.wants lib/systemd/system-generators
mkdir -p etc/systemd/system
cp $work/examples/* usr/local/bin
cat >etc/systemd/system/tests.service <<UNIT
[Unit]
DefaultDependencies=no
Wants=systemd-journald.service dbus.socket
After=systemd-journald.service dbus.socket
[Service]
Type=oneshot
StandardOutput=tty
StandardError=tty
TTYPath=/dev/tty0
Environment=SOCKETS_TEST_SYSTEMD=1 PATH=$PATH HOME=/root
ExecStart=/bin/bash $work/run
ExecStopPost=/bin/systemctl --force --force poweroff
UNIT
exec chroot . /lib/systemd/systemd --unit=tests.service --log-level=warning
END
} >"$work/init"
{
	printf 'ip link set lo up; echo "system $(uname -r), $(systemctl --version | head -n 1)"\n'
	run_list "$work/bin" "${1:-.}"
} >"$work/run"
boot_uml "$LIMIT"
status=0
report systemd "$(sed -n 's/\r$//; s/^system //p' "$work/out")" "$work/out" || status=1
grep -E '^ *(--- PASS|--- SKIP|[a-z]*_test.go:[0-9]*: .* lost)' "$work/out.txt" || true
if grep -q '^ *--- SKIP' "$work/out.txt"; then
	status=1
fi
exit "$status"
