#include "models/active.h"

#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"

// what finding the levels works on
typedef struct {
  hg_world *world;
  const hg_part *part;
  const hg_links *links;
  uint8_t *steps;
  bool *needed;      // [n_halo]
  hg_matrix reached; // [n_local x 1]
  hg_exchange *back; // of `reached`
} search;

static hg_status begin(search *s, hg_active *active, int n_levels)
{
  const hg_part *part = s->part;
  hg_status rc = HG_OK;
  if (n_levels < 0 || n_levels > HG_ACTIVE_LEVELS)
    return hg_fail(HG_ERR_INTERNAL, "%d levels of active rows, but there are 0 to %d", n_levels, HG_ACTIVE_LEVELS);
  HG_TRY(HG_ALLOC(active->levels, n_levels, "levels of active rows"));
  HG_TRY(HG_ALLOC(active->steps, part->n_owned, "steps to training nodes"));
  HG_TRY(HG_ALLOC(s->needed, part->n_halo, "needed halo rows"));
  HG_TRY(hg_matrix_create(&s->reached, (hg_off)part->n_owned + part->n_halo, 1, "reached nodes"));
  for (int k = 0; k < n_levels; k++) active->levels[k].row_share = active->levels[k].edge_share = 1;
  active->n_levels = n_levels;
  s->steps = active->steps;
done:
  return rc;
}

// steps of nodes that edges into rows of k - 1 steps come from, here and on other ranks
static void step(const search *s, int k)
{
  const hg_csr *a = &s->part->a;
  hg_lid n = s->part->n_owned;
  hg_real *reached = s->reached.data;
  if (s->reached.rows > 0) memset(reached, 0, (size_t)s->reached.rows * sizeof *reached);
  for (hg_lid i = 0; i < n; i++)
    for (hg_off e = a->indptr[i]; s->steps[i] == k - 1 && e < a->indptr[i + 1]; e++) reached[a->indices[e]] = 1;
  hg_exchange_begin(s->back);
  hg_exchange_end(s->back);
  for (hg_lid i = 0; i < n; i++)
    if (reached[i] > 0 && s->steps[i] > k) s->steps[i] = (uint8_t)k;
}

static void measure(const search *s, int k, hg_active_level *level)
{
  const hg_part *part = s->part;
  double sums[] = {0, 0};
  for (hg_lid i = 0; i < part->n_owned; i++) {
    if (s->steps[i] > k) continue;
    sums[0]++;
    level->edges += part->a.indptr[i + 1] - part->a.indptr[i];
  }
  sums[1] = (double)level->edges;
  hg_sum_doubles(s->world, sums, 2);
  level->row_share = part->n_global > 0 ? sums[0] / (double)part->n_global : 1;
  level->edge_share = part->m_global > 0 ? sums[1] / (double)part->m_global : 1;
}

static hg_status link_level(const search *s, int k, hg_active_level *level)
{
  const hg_part *part = s->part;
  const hg_csr *a = &part->a;
  if (part->n_halo > 0) memset(s->needed, 0, (size_t)part->n_halo * sizeof *s->needed);
  for (hg_lid i = 0; i < part->n_owned; i++)
    for (hg_off e = a->indptr[i]; s->steps[i] <= k && e < a->indptr[i + 1]; e++)
      if (a->indices[e] >= part->n_owned) s->needed[a->indices[e] - part->n_owned] = true;
  hg_status rc = hg_links_create_some(&level->links, s->world, part, s->needed);
  return rc == HG_OK && s->links->hosts ? hg_links_merge(&level->links, s->world) : rc;
}

hg_status hg_active_create(hg_active *active, hg_world *world, const hg_part *part, const hg_links *links,
                           const hg_lid *rows, hg_off n, int n_levels)
{
  search s = {.world = world, .part = part, .links = links};
  hg_status rc = HG_OK;
  memset(active, 0, sizeof *active);
  HG_TRY_ALL(world, "finding active rows", begin(&s, active, n_levels));
  HG_TRY(hg_exchange_create(&s.back, world, links, HG_ADD_HALO, &s.reached, 0));
  if (part->n_owned > 0) memset(s.steps, HG_ACTIVE_NEVER, (size_t)part->n_owned);
  for (hg_off r = 0; r < n; r++) s.steps[rows[r]] = 0;
  for (int k = 0; k < n_levels; k++) {
    hg_active_level *level = &active->levels[k];
    if (k > 0) step(&s, k);
    measure(&s, k, level);
    level->pruned = level->edge_share <= HG_ACTIVE_WORTH;
    if (!level->pruned) break;
    HG_TRY(link_level(&s, k, level));
  }
  hg_active_bound(active, part);
done:
  hg_exchange_free(&s.back);
  hg_matrix_free(&s.reached);
  hg_free(&s.needed);
  if (rc != HG_OK) hg_active_free(active);
  return rc;
}

void hg_active_bound(hg_active *active, const hg_part *part)
{
  const hg_active_level *top = active->levels;
  if (active->n_levels > 0 && !top->pruned && top->row_share > HG_ACTIVE_WORTH) hg_active_free(active);
  for (int k = 0; k < active->n_levels; k++) {
    hg_first_rows first = {0};
    for (hg_lid i = 0; i < part->n_owned; i++) {
      if (active->steps[i] > k) continue;
      if (i < part->n_interior)
        first.interior = i + 1;
      else
        first.boundary = i + 1 - part->n_interior;
    }
    active->levels[k].first = first;
  }
}

hg_lid hg_active_mark(const hg_active *active, int k, const hg_part *part, uint8_t *marks)
{
  const hg_csr *a = &part->a;
  hg_lid n = part->n_owned + part->n_halo, marked = 0;
  if (n > 0) memset(marks, 0, (size_t)n);
  for (hg_lid i = 0; i < part->n_owned; i++) {
    if (active->steps[i] > k) continue;
    marks[i] = 1;
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++) marks[a->indices[e]] = 1;
  }
  for (hg_lid i = 0; i < n; i++) marked += marks[i];
  return marked;
}

void hg_active_free(hg_active *active)
{
  for (int k = 0; k < active->n_levels; k++) {
    hg_active_level *level = &active->levels[k];
    hg_links_free(&level->links);
    hg_csr_free(&level->a);
    hg_csr_free(&level->transposed);
  }
  hg_free(&active->levels);
  hg_free(&active->steps);
  active->n_levels = 0;
}

// the rows of a that are at most k steps away; the others are empty
static hg_status copy_rows(hg_active_level *level, const hg_csr *a, const uint8_t *steps, int k)
{
  hg_csr *out = &level->a;
  hg_status rc = hg_csr_create(out, a->n_rows, a->n_cols, level->edges, false, "active edges");
  if (rc != HG_OK) return rc;
  for (hg_off i = 0; i < a->n_rows; i++)
    out->indptr[i + 1] = out->indptr[i] + (steps[i] <= k ? a->indptr[i + 1] - a->indptr[i] : 0);
#pragma omp parallel for schedule(static) default(none) shared(out, a)
  for (hg_off i = 0; i < a->n_rows; i++) {
    hg_off first = out->indptr[i], n = out->indptr[i + 1] - first;
    if (n > 0) memcpy(out->indices + first, a->indices + a->indptr[i], (size_t)n * sizeof *a->indices);
  }
  return HG_OK;
}

// the entries of t in columns that are at most k steps away
static hg_status copy_columns(hg_active_level *level, const hg_csr *t, const uint8_t *steps, int k)
{
  hg_csr *out = &level->transposed;
  hg_status rc = hg_csr_create(out, t->n_rows, t->n_cols, level->edges, false, "active edges");
  if (rc != HG_OK) return rc;
  hg_off at = 0;
  for (hg_off j = 0; j < t->n_rows; j++) {
    for (hg_off e = t->indptr[j]; e < t->indptr[j + 1]; e++)
      if (steps[t->indices[e]] <= k) out->indices[at++] = t->indices[e];
    out->indptr[j + 1] = at;
  }
  return HG_OK;
}

static bool copies_forward(hg_active_edges edges)
{
  return edges == HG_ACTIVE_EDGES || edges == HG_ACTIVE_FORWARD_EDGES;
}

static bool copies_back(hg_active_edges edges) { return edges == HG_ACTIVE_EDGES || edges == HG_ACTIVE_TRANSPOSED; }

hg_status hg_active_build(hg_active *active, int k, const hg_local_graph *whole, hg_active_edges edges)
{
  hg_active_level *level = &active->levels[k];
  hg_local_graph *g = &level->graph;
  const uint8_t *steps = active->steps;
  hg_status rc = HG_OK;
  *g = *whole;
  g->links = &level->links;
  g->cover_steps = k;
  if (copies_forward(edges)) {
    HG_TRY(copy_rows(level, whole->forward.a, steps, k));
    g->forward.a = &level->a;
  } else {
    g->forward.kept = (hg_kept){.rows = steps, .most = k};
  }
  if (copies_back(edges)) {
    HG_TRY(copy_columns(level, whole->backward.a, steps, k));
    g->transposed = level->transposed;
    g->shares_transposed = false;
    g->backward.a = &level->transposed;
  } else {
    g->backward.kept = (hg_kept){.columns = steps, .most = k};
  }
done:
  return rc;
}

size_t hg_active_bytes(const hg_active *active, int k, const hg_part *part, hg_active_edges edges)
{
  size_t forward = (size_t)(part->n_owned + 1) * sizeof(hg_off),
         back = (size_t)(part->n_owned + part->n_halo + 1) * sizeof(hg_off),
         entries = (size_t)active->levels[k].edges * sizeof(hg_lid);
  const hg_links *l = &active->levels[k].links;
  size_t rows = (size_t)(l->send_offsets[l->n_peers_send] + l->recv_offsets[l->n_peers_recv]) * sizeof(hg_lid);
  return rows + (copies_forward(edges) ? forward + entries : 0) + (copies_back(edges) ? back + entries : 0);
}
