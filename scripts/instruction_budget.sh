#!/usr/bin/env bash
# Counts the instructions of every kernel on a small fixed graph and compares them with tests/budgets/instructions.json: a check for
# regressions that no other program on the machine disturbs. A count that is more than 5 % off fails, a lower one too: a gain must be recorded.
#
#   scripts/instruction_budget.sh [--update]    --update stores what is counted now
#
# callgrind runs the release build of gcc 12 (build/release/tests/count_instructions, or COUNT_INSTRUCTIONS) with HALOGNN_SIMD=avx2, since
# valgrind knows no AVX-512, on one thread. Only the program's own instructions count, not those of OpenBLAS, libm or libc, which choose
# their code by the processor.
. "$(dirname "$0")/common.sh"
cd "$ROOT"

tolerance=0.05
budget=tests/budgets/instructions.json
program=${COUNT_INSTRUCTIONS:-build/release/tests/count_instructions}
halognn=${HALOGNN:-build/release/halognn}
update=''
case "${1:-}" in
  '') ;;
  --update) update=yes ;;
  -h | --help)
    usage_of "$0"
    exit 0
    ;;
  *) die "unknown option '$1'; see --help" ;;
esac
command -v valgrind >/dev/null || die "no valgrind here; run scripts/install_deps.sh --tests"
[ -x "$program" ] || die "$program is not built: scripts/install_deps.sh --tests, then cmake --preset release && cmake --build --preset release"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$halognn" generate csbm -o "$work/graph.hg" --nodes 200 --degree 14 --classes 4 --features 8 --seed 1 >/dev/null 2>&1
HALOGNN_SIMD=avx2 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 valgrind --quiet --tool=callgrind --instr-atstart=no --callgrind-out-file="$work/counts" --compress-strings=no \
  --compress-pos=no "$program" "$work/graph.hg" >"$work/log" 2>&1 </dev/null || {
  cat "$work/log" >&2
  die "counting failed"
}

"$PYTHON" - "$work" "$budget" "$(basename "$program")" "$tolerance" "$update" <<'PYTHON'
import glob, json, os, sys

work, path, program, tolerance, update = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), sys.argv[5]


def count(file):
    """The name of a dump's case and its instructions in the program's own code; the costs of calls belong to the callees."""
    name, total, own, called = None, 0, False, False
    for line in open(file, encoding="utf-8"):
        if line.startswith("desc: Trigger: Client Request: "):
            name = line.split(": ", 3)[3].strip()
        elif line.startswith("ob="):
            own = os.path.basename(line[3:].strip()) == program
        elif line.startswith("calls="):
            called = True
        elif line[:1].isdigit() or line[:1] in "+-*":
            if own and not called:
                total += int(line.split()[-1])
            called = False
    return name, total


counts = dict(count(file) for file in sorted(glob.glob(f"{work}/counts.*")))
counts.pop(None, None)
# Where another library does nearly all the work a few hundred instructions of ours are left, which say nothing.
counts = {name: total for name, total in sorted(counts.items()) if total >= 10000}
if not counts:
    sys.exit("instruction_budget: error: callgrind counted nothing")
stored = json.load(open(path, encoding="utf-8")) if os.path.exists(path) else {}
if update:
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(counts, indent=1) + "\n")
wrong = 0
for name in sorted(counts.keys() | stored.keys()):
    have, want = counts.get(name), stored.get(name)
    if have is None or want is None:
        change = "is gone" if have is None else "is new"
    elif abs(have - want) > tolerance * want:
        change = f"{100 * (have / want - 1):+.1f} %"
    else:
        continue
    wrong += 1
    print(f"{name:32} {want or 0:>12} -> {have or 0:>12}  {change}")
if wrong and not update:
    sys.exit(f"instruction_budget: error: {wrong} of {len(counts)} kernels are off their budget by more than {tolerance:.0%}; "
             "if that is meant, record it: scripts/instruction_budget.sh --update")
print(f"instruction_budget: {len(counts)} kernels {'stored' if update else 'within their budgets'}")
PYTHON
