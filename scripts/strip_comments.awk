# C sources -> FILE:LINE:CODE without comments and the insides of strings, so that a rule on words meets code alone.
# A comment `allow(RULE): reason` stays as `allow(RULE)`, on its line or, when it stands alone, on the next one.
FNR == 1 { inside = 0; pending = "" }
{
  line = $0; out = ""; allowed = pending; pending = ""
  while (match(line, /allow\([a-z_]+\): [^ ]/)) {
    allowed = allowed " " substr(line, RSTART, RLENGTH - 3)
    line = substr(line, 1, RSTART - 1) "_" substr(line, RSTART + RLENGTH)
  }
  while (line != "") {
    if (inside) {
      end = index(line, "*/")
      if (!end) break
      line = substr(line, end + 2); inside = 0
    } else if (substr(line, 1, 2) == "/*") {
      line = substr(line, 3); inside = 1
    } else if (substr(line, 1, 2) == "//") {
      break
    } else if (match(line, /^"([^"\\]|\\.)*"/) || match(line, /^'([^'\\]|\\.)*'/)) {
      out = out "\"\""; line = substr(line, RLENGTH + 1)
    } else {
      out = out substr(line, 1, 1); line = substr(line, 2)
    }
  }
  if (out ~ /^[ \t]*$/) pending = allowed
  print FILENAME ":" FNR ":" out allowed
}
