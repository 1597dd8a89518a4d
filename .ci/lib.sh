# Functions for the scripts in this folder, which run the test binaries in other
# environments. To be sourced, from the root of the module.

export DEBIAN_FRONTEND=noninteractive
CACHE=${CACHE:-/tmp/sockets-ci}
RACE=${RACE:-}
mkdir -p "$CACHE"

# need TOOL PACKAGE installs a tool that is missing.
need() {
	if ! command -v "$1" >/dev/null; then
		apt-get update -qq
		apt-get install -y -qq --no-install-recommends "$2" >/dev/null
	fi
}

# workspace makes $work, a folder that goes when the script ends.
workspace() {
	work=$(mktemp -d /tmp/sockets-ci.XXXXXX)
	chmod 755 "$work"
	trap 'rm -rf "$work"' EXIT
}

# build_tests FOLDER PATTERN... makes the test binaries of the packages, for GOARCH, with
# the race detector if RACE is -race, and a list of them with the folders to run them in.
build_tests() {
	local folder=$1 package dir name module
	shift
	module=$(go list -m)
	mkdir -p "$folder"
	: >"$folder/list"
	while read -r package dir; do
		name=$(tr / - <<<"${module##*/}${package#"$module"}")
		CGO_ENABLED=$((${#RACE} > 0)) go test $RACE -c -o "$folder/$name.test" "$package" >/dev/null
		if [[ -e $folder/$name.test ]]; then # there are test files
			printf '%s %s\n' "$name.test" "$dir" >>"$folder/list"
		fi
	done < <(go list -f '{{.ImportPath}} {{.Dir}}' "$@")
}

# run_list FOLDER PATTERN [PROGRAM...] prints the commands that run the test binaries
# in FOLDER, by way of PROGRAM if there is one, without the tests that $SKIP matches.
run_list() {
	local folder=$1 pattern=$2 name dir
	shift 2
	while read -r name dir; do
		printf 'cd %q && %s %q -test.v -test.timeout %ss -test.run %q -test.skip %q; echo "exit status of %s: $?"\n' \
			"$dir" "$*" "$folder/$name" "${LIMIT:-1800}" "$pattern" "${SKIP:-^\$}" "$name"
	done <"$folder/list"
	printf 'echo finished\n'
}

# report ENVIRONMENT SYSTEM FILE prints failures, and how many tests passed, failed
# and were skipped. Where $RESULTS is set, it adds a row for docs/tested.md to that
# file. It fails if a test did, or if the last one did not end.
report() {
	local environment=$1 system=$2 out=$3 passed failed skipped
	tr -d '\r' <"$out" >"$out.txt"
	if [[ -n ${OUT:-} ]]; then
		cp "$out.txt" "$OUT"
	fi
	passed=$(grep -c '^--- PASS' "$out.txt" || true)
	failed=$(grep -c '^--- FAIL' "$out.txt" || true)
	skipped=$(grep -c '^--- SKIP' "$out.txt" || true)
	# What a test says stands in front of its result.
	awk '/^=== RUN +[^\/]*$/ { said = "" }
		!/^=== |--- PASS/ { said = said $0 "\n" }
		/^--- FAIL/ { printf "%s", said }
		/^--- / { said = "" }' "$out.txt" | cut -c1-500
	grep -A30 -E '^(panic|fatal error):' "$out.txt" || true
	printf '%s, %s: %d passed, %d failed, %d skipped\n' "$environment" "$system" "$passed" "$failed" "$skipped"
	if [[ -n ${RESULTS:-} ]]; then
		printf '| %s | %s | %s | %d | %d | %d | %s |\n' \
			"$environment" "$system" "${RAN:-root}" "$passed" "$failed" "$skipped" "$(date -u +%F)" >>"$RESULTS"
	fi
	if ! grep -q '^finished$' "$out.txt"; then
		printf 'it did not come to its end:\n'
		tail -n 20 "$out.txt"
		return 1
	fi
	! grep -q '^exit status of .*: [^0]' "$out.txt"
}

# get_uml installs Debian's package user-mode-linux, Linux 6.1 as a process, below $CACHE, and
# makes its modules loadable from $work/m.
get_uml() {
	uml=$CACHE/uml
	need depmod kmod
	if [[ ! -x $uml/usr/bin/linux.uml ]]; then
		mkdir -p "$uml"
		(
			cd "$uml"
			apt-get update -qq
			apt-get download -qq user-mode-linux
			dpkg-deb -x user-mode-linux_*.deb .
		)
	fi
	mkdir -p "$work/m/lib"
	ln -s "$uml/usr/lib/uml/modules" "$work/m/lib/modules"
	depmod -b "$work/m" "$(ls "$uml/usr/lib/uml/modules")"
}

# uml_root prints the commands with which process 1 of that kernel puts a layer in memory
# over this machine's own files, and makes that its working directory.
uml_root() {
	cat <<END
#!/bin/bash
export PATH=$PATH HOME=/root
mount -t proc proc /proc; mount -t sysfs sys /sys
modprobe -d $work/m overlay
mount -t tmpfs tmpfs /mnt; mkdir /mnt/up /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/up,workdir=/mnt/work overlay /mnt/root
cd /mnt/root
mount -t proc proc proc; mount -t sysfs sys sys; mount -t devtmpfs dev dev
mkdir -p dev/pts dev/shm; mount -t devpts devpts dev/pts
END
}

# boot_uml runs that kernel with $work/init as process 1, and writes what it prints to
# $work/out.
boot_uml() {
	chmod +x "$work/init"
	(cd "$work" && TMPDIR=/tmp timeout "${LIMIT:-900}" "$uml/usr/bin/linux.uml" mem=2G root=root rootfstype=hostfs \
		rootflags=/ ro ${KARGS:-quiet} init="$work/init" con=null con0=null,fd:1 </dev/null 2>&1) >"$work/out" || true
}
