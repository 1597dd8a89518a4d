#!/bin/bash
# Runs the tests of libraries themselves, with package compat in the place of
# net in the library and in its tests: every import line is switched.
#
#	suites.sh [module...]
#
# Without arguments it runs all below, which takes minutes. The versions are
# those of go.mod; the libraries are changed in copies, in a temporary folder.
set -euo pipefail
cd "$(dirname "$0")"
sockets=$(cd ../.. && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Which packages to test; files to leave alone, as they pass a Dialer on to
# crypto/tls, which takes net's only, or as package sockets imports them itself; and
# tests that are left out.
declare -A packages=(
	[github.com/coder/websocket]=.
	[github.com/hashicorp/yamux]=.
	[github.com/miekg/dns]=.
	[github.com/pires/go-proxyproto]=./...
	[github.com/soheilhy/cmux]=.
	[golang.org/x/crypto]=./ssh/...
	[golang.org/x/net]="./http2/... ./icmp ./nettest"
)
declare -A keep=(
	[github.com/miekg/dns]='/client(_test)?\.go$'
	[golang.org/x/net]='/(bpf|internal|ipv4|ipv6)/[^/]'
)
declare -A skip=(
	# Gives the machine 250 ms for each write while 16 GB pass, net or not.
	# The other fails now and then with net, too.
	[github.com/hashicorp/yamux]='^(TestSendData_VeryLarge|TestHalfCloseSessionShutdown)$'
	[github.com/soheilhy/cmux]='^TestTimeout$' # as the one above
)

if [ $# -eq 0 ]; then
	mapfile -t modules < <(printf '%s\n' "${!packages[@]}" | sort)
	set -- "${modules[@]}"
fi
failed=()
for module; do
	copy=$work/$(basename "$module")
	cp -r "$(go list -m -f '{{.Dir}}' "$module")" "$copy"
	chmod -R u+w "$copy"
	find "$copy" -name '*.go' | grep -vE "${keep[$module]:-^$}" |
		xargs sed -i -E 's#^(import )?(\s*)"net"$#\1\2net "github.com/iolib-go/sockets/compat"#'
	if ! grep -rqF 'sockets/compat"' "$copy"; then
		echo "$module does not import net" >&2
		exit 1
	fi
	echo "== $module"
	(
		cd "$copy"
		go mod edit -require github.com/iolib-go/sockets@v0.0.0 -replace "github.com/iolib-go/sockets=$sockets"
		# shellcheck disable=SC2086 # several packages
		go test -mod=mod -vet=off -skip "${skip[$module]:-^$}" ${packages[$module]}
	) || failed+=("$module")
done
if [ ${#failed[@]} -gt 0 ]; then
	echo "failed: ${failed[*]}" >&2
	exit 1
fi
