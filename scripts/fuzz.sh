#!/usr/bin/env bash
# Runs the fuzz targets of tests/fuzz, two at a time, each from its stored corpus; any finding fails and is kept in build/fuzz.
#
#   scripts/fuzz.sh [NAME...]     the targets' names without fuzz_ (all)
#
# FUZZ_SECONDS (20) for each target. New inputs that reach new code are left in build/fuzz/corpus/NAME.
. "$(dirname "$0")/common.sh"
cd "$ROOT"

seconds=${FUZZ_SECONDS:-20}
tree=build/fuzz
case "$seconds" in '' | *[!0-9]*) die "FUZZ_SECONDS=$seconds: expected a number of seconds" ;; esac
case "${1:-}" in
  -h | --help)
    usage_of "$0"
    exit 0
    ;;
esac

# fuzz_one NAME: the last lines of the log, and its status
fuzz_one() {
  local name=$1 log=$tree/$1.log status=0 seeds=()
  mkdir -p "$tree/corpus/$name"
  [ ! -d "tests/fuzz/corpus/$name" ] || seeds=("tests/fuzz/corpus/$name")
  [ ! -f "tests/fuzz/$name.dict" ] || seeds+=("-dict=tests/fuzz/$name.dict")
  # A reader must refuse a header that claims too much, not allocate it: hence the limits.
  ASAN_OPTIONS=allocator_may_return_null=1 "$tree/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix="$tree/$name-" "$tree/corpus/$name" "${seeds[@]}" >"$log" 2>&1 || status=$?
  if [ "$status" -ne 0 ]; then
    tail -n 40 "$log"
    printf 'fuzz_%s: FAILED; the input is %s\n' "$name" "$(ls -t "$tree/$name-"* 2>/dev/null | head -n 1)"
  else
    printf 'fuzz_%s: %s inputs in %s s, no finding\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" "$seconds"
  fi
  return "$status"
}

if [ "${1:-}" = --one ]; then
  fuzz_one "$2"
  exit 0
fi

names=("$@")
if [ "${#names[@]}" -eq 0 ]; then
  for source in tests/fuzz/fuzz_*.c; do names+=("$(basename "$source" .c | sed 's/^fuzz_//')"); done
fi
for name in "${names[@]}"; do [ -f "tests/fuzz/fuzz_$name.c" ] || die "there is no tests/fuzz/fuzz_$name.c"; done

mkdir -p "$tree"
if ! { cmake --preset debug -B "$tree" -DCMAKE_C_COMPILER=clang-14 -DHALOGNN_TESTS=OFF -DHALOGNN_FUZZ=ON \
  -DHALOGNN_SANITIZE=fuzzer-no-link,address,undefined && cmake --build "$tree" -j "$(cores)" --target fuzzers; } >"$tree.log" 2>&1; then
  tail -n 40 "$tree.log"
  die "the fuzz targets could not be built; the log is $tree.log"
fi
status=0
printf '%s\n' "${names[@]}" | xargs -P 2 -n 1 "$0" --one || status=1
exit "$status"
