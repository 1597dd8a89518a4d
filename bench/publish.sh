#!/bin/sh
# Measures everything anew, and puts the results into ratios.json, ratios.svg and the
# pages. It takes six minutes, of a machine that does nothing else, and needs Debian's
# libicu-dev. The texts are those in the directory SOCKETS_TEXTS, or texts.sh gets them.
#
#	bench/publish.sh
set -eu

cd "$(dirname "$0")"
texts=${SOCKETS_TEXTS:-}
if [ -z "$texts" ]; then
	texts=$(mktemp -d)
	trap 'rm -rf "$texts"' EXIT
	./texts.sh "$texts"
fi
SOCKETS_TEXTS=$texts go run -tags icu . -rounds 9 -json ratios.json -svg ratios.svg
go test -C .. ./internal/test/readme -run 'Numbers|Claims' -update
