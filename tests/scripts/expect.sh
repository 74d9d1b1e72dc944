# shellcheck shell=bash
# Tests of scripts: expect STATUS TEXT COMMAND..., then summary. The output is standard output and error together.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# expect STATUS TEXT COMMAND...: the status is exactly this; the output contains TEXT
expect() {
  local wanted=$1 text=$2 status=0
  shift 2
  "$@" >"$work/output" 2>&1 </dev/null || status=$?
  if [ "$status" -eq "$wanted" ] && { [ -z "$text" ] || grep -qF -e "$text" "$work/output"; }; then
    passed=$((passed + 1))
    return
  fi
  failed=$((failed + 1))
  printf 'FAILED: %s\n  status %s, expected %s; output, expected to contain "%s":\n' "$*" "$status" "$wanted" "$text"
  sed 's/^/    /' "$work/output"
}

# The counts, and an exit status of 1 when one failed.
summary() {
  printf '%s: %d passed, %d failed\n' "$(basename "$0")" "$passed" "$failed"
  [ "$failed" -eq 0 ]
}
