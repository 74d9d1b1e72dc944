// PT-Scotch: Chevalier and Pellegrini 2008, doi:10.1016/j.parco.2007.12.001
#include <inttypes.h>
#include <stdio.h>
// PT-Scotch's header needs what is above it
#include <mpi.h>
#include <ptscotch.h>

#include "comm/reduce.h"
#include "comm/slice_graph.h"
#include "comm/world_mpi.h"
#include "core/base/alloc.h"

_Static_assert(sizeof(SCOTCH_Num) == sizeof(hg_lid), "PT-Scotch for 32 bits, as Debian's /usr/include/scotch");

// What PT-Scotch borrows: pointers to rows, weights.
typedef struct {
  SCOTCH_Num *rows, *weights; // [n + 1]; [n] or NULL
} arrays;

static hg_status prepare(const hg_slice *slice, const hg_off *edges, const hg_partition_options *options, arrays *t)
{
  hg_status rc = HG_OK;
  hg_off n = hg_slice_n(slice);
  HG_TRY(HG_ALLOC(t->rows, n + 1, "rows for PT-Scotch"));
  for (hg_off i = 0; i <= n; i++) t->rows[i] = (SCOTCH_Num)slice->a.indptr[i];
  if (!(options->balance & HG_BALANCE_EDGES)) goto done;
  HG_TRY(HG_ALLOC(t->weights, n, "weights for PT-Scotch"));
  for (hg_off i = 0; i < n; i++) t->weights[i] = (SCOTCH_Num)(edges[i + 1] - edges[i]) + 1; // isolated ones too
done:
  return rc;
}

// Its calls return 0, on all ranks alike; what goes wrong it prints itself.
static int cut(const hg_slice *slice, SCOTCH_Dgraph *graph, const arrays *t, int k, const hg_partition_options *options,
               int32_t *part_of)
{
  SCOTCH_Num n = (SCOTCH_Num)hg_slice_n(slice), edges = t->rows[n];
  SCOTCH_Strat strategy;
  SCOTCH_Context context;
  SCOTCH_Dgraph bound;
  SCOTCH_randomSeed((SCOTCH_Num)(options->seed % INT32_MAX));
  SCOTCH_randomReset();
  int failed =
      SCOTCH_dgraphBuild(graph, 0, n, n, t->rows, NULL, t->weights, NULL, edges, edges, slice->a.indices, NULL, NULL);
  if (failed) return failed;
  SCOTCH_contextInit(&context);
  SCOTCH_contextOptionSetNum(&context, SCOTCH_OPTIONNUMDETERMINISTIC, 1);
  SCOTCH_contextOptionSetNum(&context, SCOTCH_OPTIONNUMRANDOMFIXEDSEED, 1);
  SCOTCH_contextRandomSeed(&context, (SCOTCH_Num)(options->seed % INT32_MAX));
  SCOTCH_contextThreadSpawn(&context, 1, NULL);
  failed = SCOTCH_contextBindDgraph(&context, graph, &bound);
  if (!failed) {
    SCOTCH_stratInit(&strategy);
    failed = SCOTCH_stratDgraphMapBuild(&strategy, SCOTCH_STRATDEFAULT, hg_world_size(slice->world), k,
                                        options->imbalance - 1);
    if (!failed) failed = SCOTCH_dgraphPart(&bound, k, &strategy, part_of);
    SCOTCH_stratExit(&strategy);
    SCOTCH_dgraphExit(&bound);
  }
  SCOTCH_contextExit(&context);
  return failed;
}

hg_status hg_slice_ptscotch(const hg_slice *symmetric, const hg_off *edges, int k, const hg_partition_options *options,
                            int32_t *part_of)
{
  hg_status rc = HG_OK;
  arrays t = {0};
  SCOTCH_Dgraph graph;
  int64_t sizes[] = {hg_slice_n(symmetric), symmetric->a.indptr[symmetric->a.n_rows]};
  hg_sum_int64(symmetric->world, sizes, 2);
  if (sizes[0] + sizes[1] > SCOTCH_NUMMAX)
    HG_TRY(hg_fail(HG_ERR_INPUT, "PT-Scotch counts in 32 bits: found %" PRId64 " edges, expected less than 2^31",
                   sizes[1]));
  HG_TRY_ALL(symmetric->world, "PT-Scotch", prepare(symmetric, edges, options, &t));
  int failed = SCOTCH_dgraphInit(&graph, hg_world_comm(symmetric->world));
  if (!failed) {
    failed = cut(symmetric, &graph, &t, k, options, part_of);
    SCOTCH_dgraphExit(&graph);
  }
  HG_TRY_ALL(symmetric->world, "PT-Scotch",
             failed ? hg_fail(HG_ERR_INTERNAL, "PT-Scotch could not make the parts; its reason is above") : HG_OK);
done:
  hg_free(&t.rows);
  hg_free(&t.weights);
  return rc;
}
