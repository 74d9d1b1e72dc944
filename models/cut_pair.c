#include "models/cut_pair.h"

#include <omp.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "partition/known_covers.h"

hg_lid hg_cut_halo_row(const hg_links *links, hg_lid k) { return links->recv_rows ? links->recv_rows[k] : k; }

hg_off hg_cut_begin(const hg_local_graph *graph, hg_lid h) { return graph->backward.a->indptr[graph->n_owned + h]; }

hg_off hg_cut_end(const hg_local_graph *graph, hg_lid h) { return graph->backward.a->indptr[graph->n_owned + h + 1]; }

static void free_pair(hg_cut_pair *p)
{
  hg_free(&p->indptr);
  hg_free(&p->indices);
  hg_free(&p->destinations);
}

// numbers: [n_owned] of destinations, from 1 on; zeros before and after
static hg_status make_pair(hg_cut_pair *p, const hg_local_graph *g, int peer, hg_lid *numbers)
{
  const hg_links *links = g->links;
  const hg_lid *targets = g->backward.a->indices;
  hg_off edges = 0;
  hg_status rc = HG_OK;
  *p = (hg_cut_pair){.first = links->recv_offsets[peer],
                     .n_left = links->recv_offsets[peer + 1] - links->recv_offsets[peer]};
  HG_TRY(HG_ALLOC(p->indptr, (hg_off)p->n_left + 1, "a pair's sources"));
  for (hg_lid l = 0; l < p->n_left; l++) {
    hg_lid h = hg_cut_halo_row(links, p->first + l);
    edges += hg_cut_end(g, h) - hg_cut_begin(g, h);
    p->indptr[l + 1] = edges;
  }
  HG_TRY(HG_ALLOC(p->indices, edges, "a pair's edges"));
  HG_TRY(HG_ALLOC(p->destinations, edges, "a pair's destinations"));
  for (hg_lid l = 0; l < p->n_left; l++) {
    hg_lid h = hg_cut_halo_row(links, p->first + l);
    hg_off at = p->indptr[l];
    for (hg_off e = hg_cut_begin(g, h); e < hg_cut_end(g, h); e++) {
      hg_lid i = targets[e];
      if (numbers[i] == 0) {
        p->destinations[p->n_right] = i;
        numbers[i] = ++p->n_right;
      }
      p->indices[at++] = numbers[i] - 1;
    }
  }
  for (hg_lid r = 0; r < p->n_right; r++) numbers[p->destinations[r]] = 0;
done:
  return rc;
}

static hg_status work_on(const hg_local_graph *graph, int peer, hg_lid *numbers, hg_cut_pair_work *work, void *context)
{
  hg_cut_pair pair;
  hg_status rc = make_pair(&pair, graph, peer, numbers);
  if (rc == HG_OK) rc = work(context, peer, &pair);
  free_pair(&pair);
  return rc;
}

hg_status hg_cut_pairs(const hg_local_graph *graph, hg_cut_pair_work *work, void *context)
{
  int n_peers = graph->links->n_peers_recv, team = n_peers < hg_threads() ? n_peers : hg_threads();
  hg_lid *numbers = NULL;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(numbers, (hg_off)team * graph->n_owned, "numbers of destinations"));
#pragma omp parallel for schedule(dynamic) default(none) shared(graph, work, context, numbers, rc, n_peers) \
    num_threads(team > 0 ? team : 1)
  for (int p = 0; p < n_peers; p++) {
    hg_status failed = work_on(graph, p, numbers + (hg_off)omp_get_thread_num() * graph->n_owned, work, context);
#pragma omp critical(hg_cut_pairs)
    if (failed != HG_OK) rc = failed;
  }
done:
  hg_free(&numbers);
  return rc;
}

static hg_status complete(hg_cover *cover, const hg_local_graph *graph, const hg_cut_pair *pair, hg_cover_kind kind,
                          int known)
{
  const hg_bipartite edges = {pair->n_left, pair->n_right, pair->indptr, pair->indices};
  const int32_t *covers = graph->part->covers.halo;
  bool *left = NULL;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(left, pair->n_left, "a pair's sources"));
  for (hg_lid l = 0; l < pair->n_left; l++)
    left[l] = covers[hg_cut_halo_row(graph->links, pair->first + l)] >> known & 1;
  HG_TRY(hg_cover_complete(cover, &edges, left, kind.source, kind.sum));
done:
  hg_free(&left);
  return rc;
}

hg_status hg_cut_cover(hg_cover *cover, const hg_local_graph *graph, const hg_cut_pair *pair, int source, int sum)
{
  const hg_bipartite edges = {pair->n_left, pair->n_right, pair->indptr, pair->indices};
  const hg_cover_kind kind = {graph->cover_steps, source, sum};
  int known = graph->part ? hg_known_cover(&graph->part->covers, kind) : -1;
  hg_status rc = known >= 0 ? complete(cover, graph, pair, kind, known) : HG_ERR_INPUT;
  return rc == HG_ERR_INPUT ? hg_cover_create(cover, &edges, source, sum) : rc; // of other edges it need not be least
}
