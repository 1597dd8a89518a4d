#!/usr/bin/env bash
# Runs the tests where users are: not as root, and where something is missing. It
# needs root, works on a copy of the checkout, and touches nothing outside of it.
#
# usage: [PACKAGES=./...] users.sh [ENVIRONMENT...], all of them unless named. RESULTS
# and RAN are as in .ci/lib.sh.
#   root       as root; a skip that .ci/skips.txt does not list is a failure
#   nobody     as user 65534, without privileges
#   strict     as that user in a container that refuses what .ci/strict.go lists, with
#              no programs but Go's, a shell and the core utilities
#   nonetadmin as root in a container: without CAP_NET_ADMIN and CAP_SYS_ADMIN
#   noproc     without /proc
#   noipv6     in a network namespace without IPv6
#   nolo       in a network namespace whose loopback interface is down
#   fewfiles   with at most 256 open files
#   modcache   as a dependency of another module, in the read-only module cache
set -euo pipefail
cd "$(git -C "$(dirname "${BASH_SOURCE[0]}")" rev-parse --show-toplevel)"

module=$(go list -m)
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
chmod 755 "$work"

# A copy that every user can read, with the modules that it needs.
mkdir "$work/src" "$work/nobody"
git ls-files -z | xargs -0 cp --parents -t "$work/src"
cache=$(go env GOMODCACHE)
GOMODCACHE=$work/mod GOPROXY=file://$cache/cache/download GONOSUMDB='*' GOFLAGS=-modcacherw go mod download
go build -o "$work/skips" .ci/skips.go
go build -o "$work/strict" .ci/strict.go
chmod -R a+rX "$work/src" "$work/mod"
chown -R 65534:65534 "$work/nobody"
GOROOT=$(go env GOROOT) # go finds it by way of /proc
export GOROOT GOMODCACHE=$work/mod GOPROXY=off

nobody=(env HOME="$work/nobody" GOCACHE="$work/nobody/cache" GOTMPDIR="$work/nobody" TMPDIR="$work/nobody")
mkdir "$work/bare"
for program in go sh env cat chmod cp echo false head ls mkdir mv rm sleep sort tail true wc; do
	ln -s "$(type -P "$program")" "$work/bare/"
done
bare=(env PATH="$work/bare" CGO_ENABLED=0)
drop=(setpriv --reuid=65534 --regid=65534 --clear-groups)
part=
while IFS= read -rd / name; do
	part+=$name/
	if ! "${drop[@]}" test -x "$part" 2>/dev/null; then
		printf 'user 65534 may not enter %s, on the way to the copy; TMPDIR is where it is made\n' "$part" >&2
		exit 2
	fi
done <<<"$work/"

# tests RUNNER... runs the tests of the packages below the working directory by way of
# a command, and checks what they say.
status=0
tests() {
	if ! "$@" go test -json ${packages:-${PACKAGES:-./...}} | "$work/skips" $list | tee "$work/out"; then
		printf 'FAILED: %s\n' "$name" >&2
		status=1
	fi
	if [[ -n ${RESULTS:-} ]]; then
		sed -nE "s#^([0-9]+) tests passed, ([0-9]+) failed, ([0-9]+) skipped#| user: \`$name\` | $(uname -r | cut -d- -f1) | ${RAN:-all packages}, subtests | \1 | \2 | \3 | $(date -u +%F) |#p" "$work/out" >>"$RESULTS"
	fi
}

(($#)) || set -- root nobody strict nonetadmin noproc noipv6 nolo fewfiles modcache
for name; do
	printf '\n=== users: %s\n' "$name"
	cd "$work/src"
	list=
	case $name in
	root) list=$work/src/.ci/skips.txt tests env ;;
	nobody)
		tests "${nobody[@]}" "${drop[@]}"
		;;
	strict)
		tests "${nobody[@]}" "${drop[@]}" "${bare[@]}" "$work/strict"
		;;
	nonetadmin) tests setpriv --bounding-set -net_admin,-sys_admin --inh-caps -all ;;
	noproc) tests unshare -m bash -c 'umount -l /proc && exec "$@"' - ;;
	noipv6)
		tests unshare -n bash -c 'ip link set lo up && for f in all default lo; do echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done && exec "$@"' -
		;;
	nolo) tests unshare -n ;;
	fewfiles) tests bash -c 'ulimit -n 256 && exec "$@"' - ;;
	modcache)
		# In a directory that its user cannot write, by way of another module.
		mkdir -p "$work/user"
		printf 'module user.test\n\ngo 1.26\n\nrequire %s v0.0.0\n\nreplace %s => ../src\n' "$module" "$module" >"$work/user/go.mod"
		cp "$work/src/go.sum" "$work/user/" # which go would ask the network for
		chown -R 65534:65534 "$work/user"
		cd "$work/user"
		packages=${PACKAGES:-./...}
		packages=${packages//.\//$module/} tests "${nobody[@]}" GOFLAGS=-mod=mod "${drop[@]}"
		;;
	*)
		printf 'no environment called %s\n' "$name" >&2
		exit 2
		;;
	esac
done
exit $status
