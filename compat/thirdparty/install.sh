#!/bin/sh
# Installs the servers that the tests start, on Debian and its kin.
#
# Nothing happens if they are there. The packages' own services do not start:
# the tests run the programs themselves, on temporary directories.
set -eu

packages=
command -v redis-server >/dev/null 2>&1 || packages="$packages redis-server"
command -v postgres >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 ||
	packages="$packages postgresql"
[ -n "$packages" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	exec sudo sh "$0"
fi

# invoke-rc.d, which package scripts start services with, obeys this file.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod +x "$policy"
	trap 'rm -f "$policy"' EXIT
fi

apt-get update
# shellcheck disable=SC2086 # one word per package
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages
