#!/usr/bin/env bash
# Runs the tests: every stage in order, or only those named; the first failure stops. Times and counts are printed at the end.
#
#   scripts/test.sh [STAGE...]
#
# Stages: deps      installs what the tests need (nothing when it is there)
#         format    clang-format on every source
#         style     directions of folders, limits and patterns of the house style, and tests of these checks
#         scripts   the scripts say what is wrong
#         build     gcc and clang, warnings are errors
#         unit      Criterion, one program a folder        mpi    cases under mpirun        cli    the program on files
#         hosts     training over TCP on several hosts made of network namespaces; skipped, with the reason, without root
#         budget    instructions of each kernel, by callgrind, against those stored (scripts/instruction_budget.sh)
#         float64   unit and MPI tests in double precision (up to FLOAT64_RANKS, 2; gradients on 3, and cases that need 3 or 4)
#         asan      unit and MPI tests (up to ASAN_RANKS, 2) under AddressSanitizer and UBSan; on one rank a leak that comes
#                   through Open MPI or libzmq is taken for theirs
#         tidy      clang-tidy and cppcheck
#         fuzz      each fuzz target for FUZZ_SECONDS (20), two at a time
#         parity    losses, gradients and weights against NumPy
#         install   cmake --install into an empty folder
#         docs      the docs agree with --help
#         readme    the README's commands, quickstart.sh among them
# JOBS limits what runs at the same time (the number of cores).
. "$(dirname "$0")/common.sh"
cd "$ROOT"

stages=(deps format style scripts build unit mpi cli hosts budget float64 asan tidy fuzz parity install docs readme)
jobs=${JOBS:-$(cores)}
logs=$ROOT/build/test-logs
stage_limit=1200 # seconds; a stage that takes longer hangs

# quietly NAME COMMAND...: output goes to a log and is shown only when the command fails
quietly() {
  local log=$logs/$1.log status=0
  shift
  "$@" >"$log" 2>&1 </dev/null || status=$?
  [ "$status" -eq 0 ] || tail -n 60 "$log"
  return "$status"
}

build() { # build PRESET TREE OPTION...: configures and builds with warnings as errors
  local preset=$1 tree=build/$2
  shift 2
  command -v ccache >/dev/null && export CMAKE_C_COMPILER_LAUNCHER=ccache
  quietly "configure-${tree#build/}" cmake --preset "$preset" -B "$tree" -DHALOGNN_WERROR=ON -DHALOGNN_TESTS=ON "$@"
  quietly "build-${tree#build/}" cmake --build "$tree" -j "$jobs"
}

run_ctest() { # run_ctest TREE LABELS
  local status=0
  ctest --test-dir "build/$1" -L "$2" --no-tests=error --output-on-failure </dev/null || status=$?
  cp "build/$1/Testing/Temporary/LastTest.log" "$logs/ctest-$1-${2//[^a-z0-9]/}.log" 2>/dev/null || true
  return "$status"
}

sources() { git ls-files '*.c' '*.h' 2>/dev/null || find . -name '*.[ch]' -not -path './build/*'; }

stage_deps() { scripts/install_deps.sh --tests; }
stage_format() { sources | xargs clang-format-14 --dry-run -Werror; }
stage_style() {
  scripts/check_layers.sh
  scripts/check_style.sh
  tests/scripts/test_checks.sh
}
stage_scripts() {
  tests/scripts/test_scripts.sh
  tests/scripts/test_molecules.sh
}
stage_build() {
  build release release
  build release clang -DCMAKE_C_COMPILER=clang-14
}
stage_unit() {
  build release release
  run_ctest release '^unit$'
}
stage_mpi() {
  build release release
  run_ctest release '^mpi$'
}
stage_cli() {
  build release release
  run_ctest release '^cli$'
}
stage_hosts() {
  build release release
  tests/scripts/test_hosts.sh
}
stage_budget() {
  build release release
  scripts/instruction_budget.sh
}
stage_float64() {
  build float64 float64
  HALOGNN_TEST_MAX_RANKS=${FLOAT64_RANKS:-2} HALOGNN_TEST_FEWEST_RANKS=4 run_ctest float64 '^(unit|mpi)$'
  HALOGNN_TEST_RANKS=3 HALOGNN_TEST_CASE=gradient run_ctest float64 '^mpi$'
}
stage_asan() {
  build asan asan
  HALOGNN_TEST_MAX_RANKS=${ASAN_RANKS:-2} run_ctest asan '^(unit|mpi)$'
}
stage_tidy() {
  quietly configure-clang cmake --preset release -B build/clang -DHALOGNN_WERROR=ON -DCMAKE_C_COMPILER=clang-14
  sources | grep -E '^(core|partition|comm|models|runtime|bench)/.*\.c$' >"$logs/tidy-sources"
  quietly tidy xargs -a "$logs/tidy-sources" -P "$jobs" -n 1 "$0" --tidy
  quietly cppcheck cppcheck -j "$jobs" --quiet --std=c11 -I . -D_GNU_SOURCE '-Djson_object_foreach(o,k,v)=for(;;)' --enable=warning,performance,portability --inline-suppr \
    --suppress=missingIncludeSystem --error-exitcode=1 core partition comm models runtime
}
# tidy FILE: one file per process, since with several clang-tidy 14 carries va_list state from one to the next.
# (Its MPI checker, which recurses without end on an array of requests, is off in .clang-tidy.)
tidy() {
  local model=(--extra-arg=-include --extra-arg="$ROOT/scripts/analyser_model.h")
  case "$1" in core/base/*) model=() ;; esac # they define what it redefines
  clang-tidy-14 -p build/clang --quiet "${model[@]}" "$1" 2>&1 || die "clang-tidy: $1: status $?"
}
stage_fuzz() { scripts/fuzz.sh; }
stage_parity() {
  build float64 float64
  tests/parity/run.sh build/float64/halognn
}
stage_install() {
  build release release
  local prefix
  prefix=$(mktemp -d)
  quietly install cmake --install build/release --prefix "$prefix"
  "$prefix/bin/halognn" --version
  [ -f "$prefix/share/halognn/configs/cora_gcn.yaml" ] || die "cmake --install left out configs/cora_gcn.yaml"
  rm -rf "$prefix"
}
stage_docs() {
  build release release
  scripts/update_docs.sh --check
}
stage_readme() {
  build release release
  tests/scripts/test_readme.sh
}

# counts: the sums of what Criterion (in ctest's logs) and the other tests (in the stages' logs) reported
counts() {
  local strip='s/\x1b\[[0-9;]*m//g'
  {
    sed "$strip" "$logs"/ctest-*.log 2>/dev/null | grep -oE 'Tested: *[0-9]+ *\| *Passing: *[0-9]+' | tr -d ':|' || true
    sed "$strip" "$logs"/stage-*.log 2>/dev/null | grep -E '^[a-z_.]+: [0-9]+ passed, [0-9]+ failed$' || true
  } | awk '/^Tested/ { passed += $4; failed += $2 - $4 } / passed, / { passed += $2; failed += $4 }
    END { printf "%d passed, %d failed\n", passed, failed }'
}

run_stage() {
  local stage=$1 start status=0
  start=$(date +%s)
  printf '\n== %s\n' "$stage"
  timeout --foreground "$stage_limit" "$0" --one "$stage" 2>&1 | tee "$logs/stage-$stage.log" || status=${PIPESTATUS[0]}
  [ "$status" -ne 124 ] || say "$stage took longer than $stage_limit s"
  times+=("$(printf '%-10s %5d s  %s' "$stage" $(($(date +%s) - start)) "$([ "$status" -eq 0 ] && echo ok || echo FAILED)")")
  return "$status"
}

mkdir -p "$logs"
case "${1:-}" in
  --one)
    "stage_$2"
    exit 0
    ;;
  --tidy)
    tidy "$2"
    exit 0
    ;;
  -h | --help)
    usage_of "$0"
    exit 0
    ;;
esac
for stage in "$@"; do
  declare -F "stage_$stage" >/dev/null || die "no stage '$stage'; there are: ${stages[*]}"
done
rm -f "$logs"/ctest-*.log "$logs"/stage-*.log
[ "$#" -eq 0 ] || stages=("$@")
times=()
result=0
begin=$(date +%s)
for stage in "${stages[@]}"; do
  run_stage "$stage" || { result=1 && break; }
done
printf '\n'
printf '%s\n' "${times[@]}"
printf '%-10s %5d s\n' all $(($(date +%s) - begin))
[ "$result" -eq 0 ] || say "stage $stage failed; its output is above, all logs are in build/test-logs"
counts
exit "$result"
