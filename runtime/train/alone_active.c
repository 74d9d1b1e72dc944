#include <string.h>

#include "core/base/alloc.h"
#include "partition/training_steps.h"
#include "runtime/train/alone.h"

hg_status hg_alone_count_links(hg_links *links, const hg_part *part, int64_t sent, int64_t received, bool some)
{
  hg_status rc = HG_OK;
  *links = (hg_links){.n_owned = part->n_owned, .n_halo = part->n_halo, .n_peers_send = 1, .n_peers_recv = 1};
  HG_TRY(HG_ALLOC(links->send_offsets, 2, "numbers of rows"));
  HG_TRY(HG_ALLOC(links->recv_offsets, 2, "numbers of rows"));
  HG_TRY(hg_to_i32(&links->send_offsets[1], sent, "rows sent"));
  HG_TRY(hg_to_i32(&links->recv_offsets[1], received, "rows received"));
  if (some) HG_TRY(HG_ALLOC(links->recv_rows, 1, "numbers of rows"));
done:
  return rc;
}

void hg_alone_drop_peers(hg_links *links, hg_active *active)
{
  links->n_peers_send = links->n_peers_recv = 0;
  for (int k = 0; k < active->n_levels; k++)
    if (active->levels[k].pruned) hg_alone_drop_peers(&active->levels[k].links, &(hg_active){0});
}

// shares of rows and edges of the whole graph: a level is worth it, or not, on all ranks alike
static void measure(const hg_graph *whole, const int32_t *steps, int k, hg_active_level *level)
{
  const hg_csr *a = &whole->adjacency;
  double rows = 0, edges = 0, all = (double)hg_csr_entries(a);
  for (hg_off i = 0; i < whole->nodes.n; i++) {
    if (steps[i] > k) continue;
    rows++;
    edges += (double)(a->indptr[i + 1] - a->indptr[i]);
  }
  level->row_share = whole->nodes.n > 0 ? rows / (double)whole->nodes.n : 1;
  level->edge_share = all > 0 ? edges / all : 1;
}

// edges into the level's rows of the part, and halo nodes at which they begin
static hg_status count_level(hg_active *active, int k, const hg_part *part, int64_t sent, uint8_t *needed)
{
  hg_active_level *level = &active->levels[k];
  const hg_csr *a = &part->a;
  int64_t crossing = 0;
  if (part->n_halo > 0) memset(needed, 0, (size_t)part->n_halo);
  for (hg_lid i = 0; i < part->n_owned; i++) {
    if (active->steps[i] > k) continue;
    level->edges += a->indptr[i + 1] - a->indptr[i];
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++)
      if (a->indices[e] >= part->n_owned) needed[a->indices[e] - part->n_owned] = 1;
  }
  for (hg_lid h = 0; h < part->n_halo; h++) crossing += needed[h];
  int64_t sent_now = part->n_halo > 0 ? (int64_t)((double)sent * (double)crossing / part->n_halo + 0.5) : 0;
  return hg_alone_count_links(&level->links, part, sent_now, crossing, true);
}

hg_status hg_alone_find_active(hg_active *active, const hg_part *part, const hg_alone_source *source, int n_levels,
                               bool scored)
{
  const hg_graph *whole = source->graph;
  int32_t *steps = NULL; // of all nodes of the graph to the next one whose output is read
  uint8_t *needed = NULL;
  hg_status rc = HG_OK;
  *active = (hg_active){0};
  HG_TRY(HG_ALLOC(steps, whole->nodes.n, "steps to training nodes"));
  HG_TRY(HG_ALLOC(needed, part->n_halo, "needed halo rows"));
  HG_TRY(HG_ALLOC(active->levels, n_levels, "levels of active rows"));
  HG_TRY(HG_ALLOC(active->steps, part->n_owned, "steps to training nodes"));
  active->n_levels = n_levels;
  if (scored)
    hg_scored_steps(whole, n_levels, steps);
  else
    hg_training_steps(whole, n_levels, steps);
  for (hg_lid i = 0; i < part->n_owned; i++) {
    int32_t found = steps[part->first + i];
    active->steps[i] = (uint8_t)(found < n_levels ? found : HG_ACTIVE_NEVER);
  }
  for (int k = 0; k < n_levels; k++) {
    hg_active_level *level = &active->levels[k];
    measure(whole, steps, k, level);
    level->pruned = level->edge_share <= HG_ACTIVE_WORTH && (k == 0 || (level - 1)->pruned);
    if (level->pruned) HG_TRY(count_level(active, k, part, source->sent, needed));
  }
  hg_active_bound(active, part);
done:
  hg_free(&steps);
  hg_free(&needed);
  return rc;
}
