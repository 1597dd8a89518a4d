#!/bin/sh
# Installs the programs that the tests talk to, on Debian and its kin. It does
# nothing for those that are there.
set -eu

missing=
need() { # program, package
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need python3 python3
# The sources of the character tables, and what they are compared with.
need iconv libc-bin
need uconv icu-devtools
[ -e /usr/share/javascript/text-encoding/encoding-indexes.js ] || missing="$missing libjs-text-encoding"
need iptables iptables
need socat socat
need systemd-socket-activate systemd

if [ -n "$missing" ]; then
	sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	export DEBIAN_FRONTEND=noninteractive
	$sudo apt-get update
	# The list is words on purpose.
	# shellcheck disable=SC2086
	$sudo apt-get install -y --no-install-recommends $missing
fi
