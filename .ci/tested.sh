#!/usr/bin/env bash
# Runs the tests in other environments and writes docs/tested.md.
#
#	.ci/tested.sh ENVIRONMENT...
#
# ENVIRONMENT: native, go1.27, user- and one of .ci/users.sh as in user-nobody, uml,
# systemd, gvisor, gvisor-host, linux- and a version of .ci/kernel.sh as in linux-6.1, or
# an architecture of .ci/arch.sh. The rows of the others stay as they are. With PACKAGES,
# RAN says what they are.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. .ci/lib.sh

page=docs/tested.md
export RESULTS RAN
RESULTS=$(mktemp)
failed=0
for environment; do
	case $environment in
	native) RAN=${RAN:-all packages} PACKAGES=${PACKAGES:-./...} ENVIRONMENT="$(go env GOVERSION), amd64" .ci/native.sh ;;
	go1.27) RAN=${RAN:-all packages} PACKAGES=${PACKAGES:-./...} GOTOOLCHAIN=${NEWER:-go1.27.3} .ci/native.sh ;;
	uml) RAN='vsock, SCTP, AF_ALG, veth' .ci/uml.sh ;;
	systemd) RAN='systemd as process 1' .ci/systemd.sh ;;
	gvisor) RAN=${RAN:-root, internal, examples} .ci/gvisor.sh ;;
	gvisor-host) RAN=${RAN:-root, internal, examples} NET=host .ci/gvisor.sh ;;
	user-*) RAN=${RAN:-all packages} .ci/users.sh "${environment#user-}" ;;
	linux-*) RAN=${RAN:-root, internal, sockopt, compat} .ci/kernel.sh "${environment#linux-}" ;;
	386) RAN=${RAN:-root, internal, sockopt, activation, compat} .ci/arch.sh 386 ;;
	*) RAN=${RAN:-internal} PACKAGES=${PACKAGES:-./internal/...} .ci/arch.sh "$environment" ;;
	esac || failed=1
done

# A new row takes the place of the old one of the same environment.
{
	cat <<'END'
# Where the tests ran

Made by `.ci/tested.sh`, not by hand. Tests are top-level ones; those that the environment has nothing
for are skipped and say why. `docs/systems.md` tells of systems that are only built.

| environment | system | what | passed | failed | skipped | date |
|---|---|---|---|---|---|---|
END
	{
		cat "$RESULTS"
		if [[ -e $page ]]; then
			sed -n '/^|---/,$p' "$page" | tail -n +2
		fi
	} | awk -F'|' 'NF > 2 && !seen[$2]++' | sort
} >"$page.new"
mv "$page.new" "$page"
rm -f "$RESULTS"
exit "$failed"
