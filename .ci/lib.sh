# Functions for the scripts in this folder, which run the test binaries in other
# environments. To be sourced, from the root of the module.

export DEBIAN_FRONTEND=noninteractive
CACHE=${CACHE:-/tmp/sockets-ci}
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

# build_tests FOLDER PATTERN... makes the test binaries of the packages, for GOARCH,
# and a list of them with the folders to run them in.
build_tests() {
	local folder=$1 package dir name
	shift
	mkdir -p "$folder"
	: >"$folder/list"
	while read -r package dir; do
		name=$(basename "$dir")
		CGO_ENABLED=0 go test -c -o "$folder/$name.test" "$package" >/dev/null
		if [[ -e $folder/$name.test ]]; then # there are test files
			printf '%s %s\n' "$name.test" "$dir" >>"$folder/list"
		fi
	done < <(go list -f '{{.ImportPath}} {{.Dir}}' "$@")
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
	grep -A12 -E '^ *--- FAIL' "$out.txt" || true
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
