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

# linux_packages prints those whose tests depend on the kernel, with commas where an emulator
# may be booted anew: not the encodings, nor what looks at sources alone or needs systemd.
linux_packages() {
	printf '.,./sockopt ./activation ./upgrade ./compat,'
	go list ./internal/... | grep -Ev '/internal/(codec|test/(api|readme|systemd))' | tr '\n' ' '
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
	if ((failed == 0)); then # one that takes too long fails without saying so
		failed=$(grep -c '^exit status of .*: [^0]' "$out.txt" || true)
	fi
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

# debian VERSION sets $debian to options of apt-get and apt-cache for the release of Debian
# that has Linux VERSION: 5.10, 6.1, 6.12, newest (of its backports), unstable. This
# machine's lists of packages stay as they are.
debian() {
	local suite apt mirror
	case $1 in
	5.10) suite=bullseye ;;
	6.1) suite=bookworm ;;
	6.12) suite=trixie ;;
	newest) suite=trixie-backports ;;
	unstable) suite=sid ;;
	*)
		printf 'no release of Debian with Linux %s is known here\n' "$1" >&2
		return 1
		;;
	esac
	apt=$CACHE/apt-$suite
	mirror=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' | awk '$1 == "Debian" { print $2; exit }')
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	printf 'deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$mirror" "$suite" >"$apt/sources.list"
	debian=(-o Dir::State::lists="$apt/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$apt/cache"
		-o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
		-o APT::Sandbox::User=root -o Acquire::Languages=none)
	apt-get "${debian[@]}" update -qq
}

# unpack FOLDER PACKAGE... unpacks packages of that release in a new folder.
unpack() {
	local folder=$1 package
	shift
	rm -rf "$folder" "$folder.new"
	mkdir -p "$folder.new"
	(
		cd "$folder.new"
		apt-get "${debian[@]}" download -qq "$@"
		for package in *.deb; do
			dpkg-deb -x "$package" .
			rm "$package"
		done
	)
	mv "$folder.new" "$folder"
}

# load_modules FOLDER prints the commands that load, from the modules in FOLDER, what tests
# need and a kernel may have as a module, and keep it from asking a program for others.
load_modules() {
	cat <<END
for module in ipv6 vsock_loopback hmac md5 sha1_generic sha256_generic sctp algif_hash algif_skcipher aes_generic cbc tls veth tun dummy; do
	modprobe -d $1 \$module 2>/dev/null
done
echo >/proc/sys/kernel/modprobe
END
}

# get_uml VERSION unpacks Debian's package user-mode-linux, that Linux as a process, below
# $CACHE, and makes its modules loadable from $work/m. It comes with the C library that it
# was linked with, which may be newer than this machine's: the program looks for it in
# libs64 of its working directory, a name as long as the one in the package.
get_uml() {
	uml=$CACHE/uml-$1
	need depmod kmod
	if [[ ! -d $uml ]]; then
		debian "$1"
		unpack "$uml.part" user-mode-linux libc6
		sed -i 's#/lib64/ld-linux-x86-64[.]so[.]2#libs64/ld-linux-x86-64.so.2#' "$uml.part/usr/bin/linux.uml"
		mv "$uml.part" "$uml"
	fi
	ln -s "$(dirname "$(find "$uml" -name libc.so.6)")" "$work/libs64"
	mkdir -p "$work/m/lib"
	ln -s "$uml/usr/lib/uml/modules" "$work/m/lib/modules"
	depmod -b "$work/m" "$(ls "$uml/usr/lib/uml/modules")"
}

# uml_root prints the commands with which process 1 of that kernel puts a layer in memory
# over this machine's own files, and makes that its working directory. On 5.10 no file
# below such a layer can be opened: there the files are read-only, but for some folders.
uml_root() {
	cat <<END
#!/bin/bash
export PATH=$PATH HOME=/root
mount -t proc proc /proc; mount -t sysfs sys /sys
modprobe -d $work/m overlay
mount -t tmpfs tmpfs /mnt; mkdir /mnt/up /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/up,workdir=/mnt/work overlay /mnt/root
if ! cat /mnt/root$work/run >/dev/null 2>&1; then
	umount /mnt/root
	mount --bind / /mnt/root
	for folder in tmp run var/tmp; do
		mount -t tmpfs tmpfs /mnt/root/\$folder
	done
	for folder in $work $PWD; do
		mkdir -p /mnt/root/\$folder
		mount --bind \$folder /mnt/root/\$folder
	done
	mount -t hostfs -o $(go env GOCACHE) none /mnt/root/$(go env GOCACHE)
fi
cd /mnt/root
mount -t proc proc proc; mount -t sysfs sys sys; mount -t devtmpfs dev dev
mkdir -p dev/pts dev/shm; mount -t devpts devpts dev/pts; mount -t tmpfs tmpfs dev/shm
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -n --move . / # as in a chroot no user may make a user namespace
END
}

# boot_uml SECONDS runs that kernel with $work/init as process 1, for so long at most, and
# writes what it prints to $work/out.
boot_uml() {
	chmod +x "$work/init"
	# A command is words.
	# shellcheck disable=SC2086
	(cd "$work" && TMPDIR=/tmp ${BEFORE:-} timeout "$1" env LD_LIBRARY_PATH=libs64 "$uml/usr/bin/linux.uml" mem=2G root=root \
		rootfstype=hostfs rootflags=/ ro ${KARGS:-quiet} init="$work/init" con=null con0=null,fd:1 </dev/null 2>&1) >"$work/out" || true
}
