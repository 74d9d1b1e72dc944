#!/usr/bin/env bash
# Puts what the program says of itself into the docs, so that they agree.
#
#   scripts/update_docs.sh [--check]    --check changes nothing and fails where a page differs
#
# A line `<!-- output: halognn import --help -->` in docs/*.md or README.md is followed by the output: as a block between ``` lines, or,
# for output that is Markdown itself, between an empty line and `<!-- end -->`.
# The output of a command that ends in --markdown is the page's own text, up to a line `<!-- end -->`.
. "$(dirname "$0")/common.sh"
cd "$ROOT"

halognn=${HALOGNN:-build/release/halognn}
[ -x "$halognn" ] || die "$halognn is not built: cmake --preset release && cmake --build --preset release"
check=''
case "${1:-}" in
  '') ;;
  --check) check=yes ;;
  -h | --help)
    usage_of "$0"
    exit 0
    ;;
  *) die "unknown option '$1'; see --help" ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# output_of COMMAND: only halognn's own informative commands are run
output_of() {
  local words
  read -r -a words <<<"$1"
  [ "${words[0]}" = halognn ] || die "a block's command must begin with halognn: $1"
  "$halognn" "${words[@]:1}" </dev/null || die "\`$1\` failed"
}

# renew FILE: the page with every block as the program gives it now
renew() {
  local line command='' until=''
  while IFS= read -r line || [ -n "$line" ]; do
    if [ -n "$until" ]; then
      [ "$line" = "$until" ] || continue
      until=''
    elif [ -n "$command" ]; then
      case "$line" in
        '```'*) until='```' ;;
        '') until='<!-- end -->' ;;
        *) die "$1: neither a block nor an empty line after the mark of \`$command\`" ;;
      esac
      printf '%s\n' "$line"
      output_of "$command" | sed 's/[ \t]*$//'
      [ "$until" = '```' ] || printf '\n'
      command=''
      continue
    elif [[ "$line" =~ ^'<!-- output: '(.*)' -->'$ ]]; then
      command=${BASH_REMATCH[1]}
    fi
    printf '%s\n' "$line"
  done <"$1"
  [ -z "$until$command" ] || die "$1: a block has no end"
}

status=0 blocks=0
for page in README.md docs/*.md; do
  grep -qs '^<!-- output: ' "$page" || continue
  blocks=$((blocks + $(grep -c '^<!-- output: ' "$page")))
  renew "$page" >"$work/page"
  cmp -s "$page" "$work/page" && continue
  if [ -n "$check" ]; then
    diff -u --label "$page" --label "$page, by the program" "$page" "$work/page" || true
    say "$page differs from what the program says; run scripts/update_docs.sh"
    status=1
  else
    cp "$work/page" "$page"
    say "updated $page"
  fi
done

# Every command of the program has its place in the docs.
for command in $("$halognn" --help | awk '/^Commands:/ { on = 1; next } on && /^  [a-z]/ { print $1 } on && /^$/ { exit }'); do
  grep -qsF "<!-- output: halognn $command --help -->" docs/*.md || {
    say "no page of docs/ shows \`halognn $command --help\`"
    status=1
  }
done
# Links between pages lead somewhere.
while IFS=: read -r page link; do
  case "$link" in http*) continue ;; esac
  [ -e "$(dirname "$page")/$link" ] || {
    say "$page links to $link, which is not there"
    status=1
  }
done < <(grep -oE '\]\([^)#]+' README.md docs/*.md | sed 's/\](//')
[ "$status" -ne 0 ] || say "$blocks blocks agree with the program"
exit "$status"
