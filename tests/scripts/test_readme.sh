#!/usr/bin/env bash
# Runs README.md's `sh` blocks, in order, in a copy of this tree that has not been built: what a reader of a fresh clone would do.
# (Blocks for a cluster or of long commands are marked `bash` instead.) Then checks what the quickstart is to reach.
. "$(dirname "$0")/../../scripts/common.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/halognn
mkdir "$tree"
cd "$ROOT"
{ git ls-files -co --exclude-standard 2>/dev/null || find . -type f -not -path './build/*' -not -path './data/*' -not -path './runs/*'; } |
  while IFS= read -r file; do [ ! -e "$file" ] || printf '%s\n' "$file"; done | tar -cf - -T - | tar -xf - -C "$tree"
[ ! -d ../shared ] || ln -s "$(cd ../shared && pwd)" "$work/shared"
cd "$tree"

awk '/^```sh$/ { on = 1; n++; next } /^```/ { on = 0 } on { print n "\t" $0 }' README.md >"$work/blocks"
[ -s "$work/blocks" ] || die "README.md has no block marked sh"
passed=0
for n in $(cut -f1 "$work/blocks" | uniq); do
  awk -F'\t' -v n="$n" '$1 == n { sub(/^[0-9]+\t/, ""); print }' "$work/blocks" >"$work/block"
  if [ ! -d ../shared ] && grep -q '\.\./shared' "$work/block"; then
    say "block $n: skipped, there is no ../shared"
    continue
  fi
  say "block $n: $(head -n 1 "$work/block")"
  if ! bash -euo pipefail "$work/block" >"$work/output" 2>&1 </dev/null; then
    sed 's/^/    /' "$work/block" "$work/output"
    die "block $n of README.md failed; it and what it printed are above"
  fi
  passed=$((passed + 1))
done

# The quickstart's run: Cora's public split as in the literature; a split of our own or a generated graph differ.
if [ -f ../shared/data/cora.npz ]; then
  "$PYTHON" - runs/cora_gcn/summary.json <<'END'
import json, sys
summary = json.load(open(sys.argv[1]))
mean, std, repeats = summary["test_accuracy_mean"], summary["test_accuracy_std"], summary["repeats"]
count = repeats if isinstance(repeats, int) else len(repeats)
print(f"Cora: test accuracy {mean:.4f} +- {std:.4f} over {count} seeds on {summary['ranks']} ranks")
sys.exit(0 if 0.810 <= mean <= 0.825 else f"expected 0.810 to 0.825")
END
  passed=$((passed + 1))
fi
printf '%s: %d passed, %d failed\n' test_readme.sh "$passed" 0
