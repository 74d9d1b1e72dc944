#!/usr/bin/env bash
# The checkers find what they are for: each case plants one violation in a small tree and expects one line about it.
. "$(dirname "$0")/../../scripts/common.sh"
. "$(dirname "$0")/expect.sh"

# plant FILE TEXT: a tree that is clean but for this
plant() {
  rm -rf "$work/tree"
  mkdir -p "$work/tree/core/base" "$work/tree/$(dirname "$1")"
  printf 'int hg_clean(void);\n' >"$work/tree/core/base/clean.h"
  printf '%b\n' "$2" >"$work/tree/$1"
}

layers() { # layers FILE TEXT FINDING
  plant "$1" "$2"
  expect 1 "$3" "$ROOT/scripts/check_layers.sh" "$work/tree"
}

style() { # style FILE TEXT FINDING
  plant "$1" "$2"
  expect 1 "$3" "$ROOT/scripts/check_style.sh" "$work/tree"
}

clean() { # clean FILE TEXT
  plant "$1" "$2"
  expect 0 '' "$ROOT/scripts/check_layers.sh" "$work/tree"
  expect 0 '' "$ROOT/scripts/check_style.sh" "$work/tree"
}

layers core/base/a.c '#include "core/tensor/csr.h"' 'upwards: core/base/a.c:1'
layers core/tensor/a.c '#include "core/graph/graph.h"' 'upwards: core/tensor/a.c:1'
layers partition/a.c '# include "comm/world.h"' 'upwards: partition/a.c:1'
layers comm/a.h '#include "models/layer.h"' 'upwards: comm/a.h:1'
layers runtime/config/a.c '#include "runtime/train/epoch.h"' 'upwards: runtime/config/a.c:1'
layers models/a.c '#include <mpi.h>' 'not in this folder: models/a.c:1'
layers comm/a.c '#include <metis.h>' 'not in this folder: comm/a.c:1'
layers runtime/train/a.c '#include <zmq.h>' 'not in this folder: runtime/train/a.c:1'
layers partition/a.c '#include <hdf5.h>' 'not in this folder: partition/a.c:1'
layers models/a.c '#include <cblas.h>' 'not in this folder: models/a.c:1'
layers core/tensor/a.c '#include "csr.h"' 'not from the root: core/tensor/a.c:1'
layers core/other/a.c '#include <math.h>' 'in no layer: core/other/a.c:1'

style comm/reduce.c 'MPI_Barrier(MPI_COMM_WORLD);' 'comm/reduce.c:1'
style core/base/a.c 'int x;\nvoid f(void) { printf("x"); }' 'core/base/a.c:2'
style core/base/a.c 'void f(void) { fputs("x", stderr); }' 'standard streams below'
style runtime/train/a.c 'void f(void) { exit(1); }' 'ending the process below'
style core/graph/a.c 'void *f(void) { return malloc(3); }' 'does not count'
style core/graph/a.c 'void f(void *p) { free(p); }' 'does not count'
style tests/unit/a.c 'void f(char *a, char *b) { strcpy(a, b); }' 'cannot report errors'
style core/graph/a.c 'int f(char *a) { return atoi(a); }' 'cannot report errors'
style core/graph/a.h 'typedef struct { int a; } hg_a_t;' 'reserved by POSIX'
style core/graph/a.h 'typedef int hg_a_t;' 'reserved by POSIX'
style core/graph/a.c '#if 0\n#endif' 'disabled code'
style core/graph/a.c "// TO""DO: more" 'left open'
style core/graph/a.c '// ---------------------- part two' 'a banner'
style core/graph/a.c "int $(printf 'a%.0s' {1..130});" 'longer than 120'
style core/graph/a.c '\tint x;' 'a tab'
style core/graph/a.c "$(printf 'int x;\\n%.0s' {1..600})" 'more than 600 lines'

clean core/graph/a.c '#include <stdio.h>\n#include "core/tensor/csr.h"'
clean core/graph/a.c 'int f(char *b, size_t n) { return snprintf(b, n, "printf(malloc(1)) stderr"); }'
clean core/graph/a.c '// printf(1) and exit(1), free(p)\n/* malloc(1)\n   abort() */ int x;'
clean core/graph/a.c 'void f(FILE *to) { fprintf(to, "x"); hg_free(p); atexit(g); hg_world_abort(w); }'
clean core/graph/a.c 'void f(void *p) { free(p); } // allow(malloc): jansson made it'
clean core/graph/a.c '// allow(malloc): jansson made it\nvoid f(void *p) { free(p); }'
clean runtime/cli/a.c 'void f(void) { printf("x"); exit(0); }'
clean core/base/a.c 'uint64_t a; static size_t b; int32_t f(void);'
style core/graph/a.c 'void f(void *p) { free(p); exit(1); } // allow(malloc): jansson made it' 'ending the process'

expect 0 '' "$ROOT/scripts/check_layers.sh"
summary
