#!/usr/bin/env bash
# The house rules that a pattern can see. Prints each line that breaks one; exit status 1 if there is any.
# A line that must be as it is says so in a comment, `allow(RULE): reason`, on it or above it.
#
#   scripts/check_style.sh [ROOT]    another tree than this one, for the test of this script
. "$(dirname "$0")/common.sh"
strip=$ROOT/scripts/strip_comments.awk
cd "${1:-$ROOT}"

status=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mapfile -t sources < <(find core partition comm models runtime bench tests -name '*.[ch]' 2>/dev/null | sort || true)
[ "${#sources[@]}" -gt 0 ] || die "no sources under $PWD"
awk -f "$strip" "${sources[@]}" >"$work/code"
awk '{ print FILENAME ":" FNR ":" $0 }' "${sources[@]}" >"$work/text"

report() { # report WHAT: the offending lines are the input
  local found
  found=$(cat)
  if [ -n "$found" ]; then
    printf '%s\n%s\n' "$1:" "$found"
    status=1
  fi
}

# rule NAME IN EXCEPT PATTERN WHAT: no line of code in files matching IN and not EXCEPT may match PATTERN as a word
rule() {
  report "$5 [allow($1)]" < <(awk -F: -v in_="$2" -v except="$3" '$1 ~ in_ && $1 !~ except' "$work/code" |
    grep -vF "allow($1)" | grep -E "^[^:]*:[0-9]+:(.*[^A-Za-z0-9_])?($4)" || true)
}

ours='^(core|partition|comm|models|runtime|bench)/'
library='^(core|partition|comm|models|runtime)/'
rule comm_world "$ours" '^comm/world\.c$' 'MPI_COMM_WORLD' 'MPI_COMM_WORLD outside comm/world.c'
rule print "$library" '^runtime/(cli|observe)/' '(printf|vprintf|puts|putchar|perror) *\(' 'printing below runtime/cli'
rule print "$library" '^(runtime/(cli|observe)/|core/base/log\.c)' '(stdout|stderr)([^A-Za-z0-9_]|$)' 'standard streams below runtime/cli'
rule exit "$library" '^runtime/cli/' '(exit|_exit|quick_exit|abort) *\(' 'ending the process below runtime/cli'
rule malloc "$library" '^core/base/' '(malloc|calloc|realloc|reallocarray|aligned_alloc|posix_memalign|free|strdup|strndup) *\(' \
  'memory that core/base/alloc.h does not count'
rule unsafe "^($library|^(bench|tests)/)" '^$' '(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok|alloca) *\(' 'a function that cannot report errors'
rule type_name "$ours" '^$' '(typedef .*|} *)[a-z0-9_]+_t *;' 'a type of ours named _t, which is reserved by POSIX'
rule disabled "^($library|^(bench|tests)/)" '^$' '# *if +0' 'disabled code'

report 'left open in a comment' < <(grep -E '(^|[^A-Za-z0-9_])(TO[D]O|FIX[M]E|XX[X])([^A-Za-z0-9_]|$)' "$work/text" || true)
report 'a banner' < <(grep -E '^[^:]*:[0-9]+:.*(//|/\*)[ ]*[-=*#~]{6,}' "$work/text" || true)
report 'a line longer than 120 columns' < <(awk '{ text = $0; sub(/^[^:]*:[0-9]+:/, "", text); if (length(text) > 120) print }' "$work/text")
report 'a tab' < <(grep -P '^[^:]*:[0-9]+:.*\t' "$work/text" || true)
report 'a file of more than 600 lines' < <(awk '{ n[FILENAME]++ } END { for (f in n) if (n[f] > 600) print f ": " n[f] }' "${sources[@]}")
exit $status
