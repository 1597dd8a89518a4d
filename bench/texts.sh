#!/bin/sh
# Puts real prose of many languages into a directory, a file NAME.txt of UTF-8 each:
# Debian's installation guide, and for languages that it lacks, or has in part, the messages of VLC.
# The packages are unpacked there and not installed.
#
#	bench/texts.sh DIR
set -eu

dir=$(mkdir -p "$1" && cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download installation-guide-amd64 vlc-l10n
for deb in *.deb; do
	dpkg-deb -x "$deb" root
done

for lang in de el en fr ja ko zh_CN; do
	# Without the margin of a page of text.
	gzip -dc root/usr/share/doc/installation-guide-amd64/$lang/install.$lang.txt.gz |
		sed 's/^ *//; /^$/d' >"$dir/$lang.txt"
done
for lang in ar he ru th zh_TW; do
	python3 - root/usr/share/locale/$lang/LC_MESSAGES/vlc.mo >"$dir/$lang.txt" <<'PYTHON'
import gettext, sys
sys.stdout.reconfigure(encoding="utf-8")
with open(sys.argv[1], "rb") as f:
    messages = gettext.GNUTranslations(f)._catalog
for text in messages.values():
    print(text.strip())
PYTHON
done
wc -c "$dir"/*.txt
