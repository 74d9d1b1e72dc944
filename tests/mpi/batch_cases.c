// A batch of all graphs beside the same nodes as one large graph.
#include <stdio.h>
#include <string.h>

#include "comm/exchange.h"
#include "core/base/alloc.h"
#include "models/batch.h"
#include "tests/support/mpi_case.h"
#include "tests/support/sample_collection.h"

// one part that is the whole level: borrowed edges, ids and two arrays of offsets of its own
static hg_status whole_part(hg_part *part, const hg_level *level)
{
  hg_status rc = HG_OK;
  *part = (hg_part){.n_parts = 1, .n_global = level->n, .n_owned = (hg_lid)level->n, .a = level->adjacency};
  part->n_interior = part->n_owned;
  HG_TRY(HG_ALLOC(part->owner_first, 2, "owners"));
  HG_TRY(HG_ALLOC(part->halo_offsets, 2, "halo offsets"));
  HG_TRY(HG_ALLOC(part->nodes.original_ids, level->n, "ids"));
  part->owner_first[1] = level->n;
  for (hg_off i = 0; i < level->n; i++) part->nodes.original_ids[i] = i;
done:
  return rc;
}

static bool same(const void *a, const void *b, hg_off n, size_t size)
{
  return (!a && !b) || (a && b && memcmp(a, b, (size_t)n * size) == 0);
}

static void compare_operators(const hg_operator *a, const hg_operator *b, const char *what)
{
  hg_off n = a->a->n_rows;
  if (!check(b->a->n_rows == n && b->a->n_cols == a->a->n_cols, "%s: %d rows", what, (int)n)) return;
  check(same(a->a->indptr, b->a->indptr, n + 1, sizeof(hg_off)), "%s: row pointers", what);
  check(same(a->a->indices, b->a->indices, hg_csr_entries(a->a), sizeof(hg_lid)), "%s: edges", what);
  check(same(a->row_scale, b->row_scale, n, sizeof(hg_real)), "%s: row scales", what);
  check(same(a->col_scale, b->col_scale, n, sizeof(hg_real)), "%s: column scales", what);
  check(a->n_self == b->n_self, "%s: %d self-loops, expected %d", what, a->n_self, b->n_self);
}

static void compare_level(hg_world *world, const hg_local_graph *stage, const hg_level *level,
                          const hg_batch_source *source, const char *what)
{
  hg_part part = {0};
  hg_links links = {0};
  hg_local_graph whole = {0};
  if (check_ok(whole_part(&part, level)) && check_ok(hg_links_create(&links, world, &part)) &&
      check_ok(hg_local_graph_create(&whole, world, &part, &links, source->norm, source->self_loops))) {
    check(stage->n_owned == whole.n_owned && stage->n_local == whole.n_local && stage->n_interior == whole.n_interior,
          "%s: sizes", what);
    check(stage->n_global == whole.n_global, "%s: rows of all ranks", what);
    check(same(stage->ids, whole.ids, whole.n_local, sizeof *whole.ids), "%s: ids", what);
    compare_operators(&stage->forward, &whole.forward, what);
    compare_operators(&stage->backward, &whole.backward, what);
  }
  hg_local_graph_free(&whole);
  hg_links_free(&links);
  hg_free(&part.owner_first);
  hg_free(&part.halo_offsets);
  hg_free(&part.nodes.original_ids);
}

static void compare_batch(hg_world *world, hg_batch *batch, const hg_batch_source *source, const char *what)
{
  const hg_hierarchy *h = source->hierarchy;
  hg_off graphs[64], n_global[8] = {0};
  for (hg_off g = 0; g < h->n_graphs; g++) graphs[g] = g;
  for (int l = 0; l < h->n_levels; l++) n_global[l] = h->levels[l].n;
  hg_batch_fill(batch, source, graphs, h->n_graphs, n_global);
  for (int l = 0; l < h->n_levels; l++) compare_level(world, &batch->stages[l].graph, &h->levels[l], source, what);
}

static void normalise_both(hg_world *world, const hg_collection *c, hg_adjacency_norm norm, bool self_loops)
{
  hg_hierarchy hierarchy = {0};
  hg_batch_room room = {0};
  hg_batch batch = {0};
  char what[96];
  snprintf(what, sizeof what, "%s, norm %d, self-loops %d", c->united.symmetric ? "symmetric" : "directed", norm,
           self_loops);
  hg_batch_source source = {world, c, &hierarchy, norm, self_loops};
  if (check_ok(hg_hierarchy_create(&hierarchy, c, 2, HG_PAIRING_DISTANCE, 1)) &&
      check_ok(hg_batch_room_create(&room, &hierarchy, c->n_graphs)) &&
      check_ok(hg_batch_create(&batch, &source, &room)))
    compare_batch(world, &batch, &source, what);
  hg_batch_free(&batch);
  hg_batch_room_free(&room);
  hg_hierarchy_free(&hierarchy);
}

static void normalises_as_one_large_graph(hg_world *world)
{
  for (int variant = 0; variant < 12; variant++) {
    hg_collection c;
    if (!check_ok(sample_collection(&c, 25, 2, 2, HG_TASK_CLASSES, 3, 4))) return;
    if (variant / 6) sample_collection_direct(&c, 4);
    normalise_both(world, &c, (hg_adjacency_norm)(variant % 3), variant / 3 % 2);
    hg_collection_free(&c);
  }
}

const mpi_case batch_cases[] = {{"batch/normalises_as_one_large_graph", normalises_as_one_large_graph, "1"}, {0}};
