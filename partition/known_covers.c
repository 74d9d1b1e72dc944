#include "partition/known_covers.h"

#include "core/base/alloc.h"
#include "core/base/timer.h"
#include "partition/halo_rows.h"
#include "partition/training_steps.h"

int hg_known_cover(const hg_known_covers *covers, hg_cover_kind kind)
{
  for (int c = 0; c < covers->n; c++) {
    const hg_cover_kind *k = &covers->kinds[c];
    if (k->steps == kind.steps && (int64_t)k->source * kind.sum == (int64_t)kind.source * k->sum) return c;
  }
  return -1;
}

// nothing where it is known already, or finds no room: then whoever uses it finds it again
static hg_status add(hg_parts_index *index, const hg_graph *graph, hg_cover_kind kind, const int32_t *steps)
{
  hg_halo_rows rows;
  if (index->covers.n == HG_COVER_KINDS || hg_known_cover(&index->covers, kind) >= 0) return HG_OK;
  hg_status rc = hg_halo_rows_cover(&rows, graph, index, kind, steps);
  hg_halo_rows_free(&rows);
  return rc;
}

// of the layer whose training passes need rows of at most `steps` steps
static hg_cover_kind kind_of(const hg_graph *graph, const hg_partition_options *options, int steps)
{
  int classes = graph->nodes.n_classes;
  bool reduces = options->covers == HG_COVERS_GEOGCN && steps == 0; // hidden rows are as wide as their layer's output
  return (hg_cover_kind){steps, reduces ? options->hidden : 1, reduces && classes > 0 ? classes : 1};
}

hg_status hg_known_covers_add(hg_parts_index *index, const hg_graph *graph, const hg_partition_options *options,
                              double *seconds)
{
  double started = hg_now_s();
  int32_t *steps = NULL;
  hg_status rc = HG_OK;
  int levels = options->covers == HG_COVERS_EQUAL ? 0 : options->layers - 1;
  if (levels > 0) {
    HG_TRY(HG_ALLOC(steps, graph->nodes.n, "steps to training nodes"));
    hg_training_steps(graph, levels, steps);
  }
  for (int k = 0; k < levels; k++) {
    hg_cover_kind kind = kind_of(graph, options, k);
    HG_TRY(add(index, graph, kind, steps));
    kind.steps = HG_COVER_ALL;
    HG_TRY(add(index, graph, kind, NULL));
  }
done:
  hg_free(&steps);
  *seconds = hg_now_s() - started;
  return rc;
}
