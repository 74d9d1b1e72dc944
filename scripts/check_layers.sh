#!/usr/bin/env bash
# Folders include downwards only, and each outside library is seen by its own folders only.
# Prints each line that breaks this; exit status 1 if there is any.
#
#   scripts/check_layers.sh [ROOT]    another tree than this one, for the test of this script
. "$(dirname "$0")/common.sh"
cd "${1:-$ROOT}"

# lowest first
layers='core/base core/tensor core/graph partition comm models runtime/config runtime/observe runtime/coord runtime/train bench runtime/cli'
only='mpi.h:comm ptscotch.h:comm metis.h:partition hdf5.h:core/graph|runtime/train hdf5_hl.h:core/graph|runtime/train cblas.h:core/tensor zmq.h:runtime/coord
  argp.h:runtime/cli zip.h:core/graph|runtime/observe zlib.h:core/graph Random123/philox.h:core/base'

includes() {
  find core partition comm models runtime bench -name '*.[ch]' 2>/dev/null | sort | xargs -r grep -nHE '^[[:space:]]*#[[:space:]]*include' || true
}

includes |
  awk -v layers="$layers" -v only="$only" '
    function depth(path,  i) { for (i = n; i; i--) if (index(path, layer[i] "/") == 1) return i; return 0 }
    BEGIN { n = split(layers, layer, " "); m = split(only, rule, " ") }
    {
      split($0, part, ":"); from = part[1]
      match($0, /[<"][^>"]+/); what = substr($0, RSTART + 1, RLENGTH - 1)
      if (!depth(from)) { print "in no layer: " $0; bad = 1 }
      if (depth(what) > depth(from)) { print "upwards: " $0; bad = 1 }
      if ($0 ~ /include[[:space:]]*"/ && what !~ /\//) { print "not from the root: " $0; bad = 1 }
      for (i = 1; i <= m; i++) {
        split(rule[i], r, ":")
        if (what == r[1] && from !~ "^(" r[2] ")/") { print "not in this folder: " $0; bad = 1 }
      }
    }
    END { exit bad }'
