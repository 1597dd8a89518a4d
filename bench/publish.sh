#!/bin/sh
# Measures everything anew, and puts the results into ratios.json, ratios.svg and the
# pages. It takes six minutes, of a machine that does nothing else, and needs Debian's
# libicu-dev. texts.sh fills the directory texts unless it is there.
#
#	bench/publish.sh
set -eu

cd "$(dirname "$0")"
[ -e texts ] || ./texts.sh texts
go run -tags icu . -rounds 8 -json ratios.json -svg ratios.svg
go test -C .. ./internal/test/readme -run 'Numbers|Claims' -update
