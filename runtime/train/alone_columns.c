#include "runtime/train/alone_columns.h"

#include "core/base/alloc.h"
#include "models/slabs.h"

// What planning memory reads of a dataset and of a grid, and of these no more than sizes.
typedef struct {
  hg_dataset dataset;
  hg_slabs slabs;
  hg_off *row_ends; // [nodes of a slab + 1], of which the last one counts
  float some;       // what dense features point to
} sizes;

static void free_sizes(sizes *s)
{
  hg_links *all[] = {&s->dataset.links, &s->slabs.links};
  for (int k = 0; k < 2; k++) hg_free(&all[k]->send_offsets);
  hg_free(&s->slabs.grid.row_offsets);
  hg_free(&s->slabs.grid.entry_offsets);
  hg_free(&s->row_ends);
  hg_free(&s->dataset.part.nodes.features.indptr);
}

// one list of so many rows
static hg_status count_sent(hg_links *links, int64_t rows)
{
  hg_status rc = HG_OK;
  links->n_peers_send = 1;
  HG_TRY(HG_ALLOC(links->send_offsets, 2, "numbers of rows"));
  HG_TRY(hg_to_i32(&links->send_offsets[1], rows, "rows sent"));
done:
  return rc;
}

static hg_status size_grid(hg_slabs *slabs, const hg_part_extent *part, int n_groups, int columns)
{
  hg_grid *g = &slabs->grid;
  hg_status rc = HG_OK;
  *g = (hg_grid){.n_groups = n_groups, .columns = columns};
  HG_TRY(hg_to_i32(&g->part.n_owned, part->nodes, "nodes of a group's part"));
  HG_TRY(hg_to_i32(&g->part.n_halo, part->halo, "halo of a group's part"));
  HG_TRY(HG_ALLOC(g->row_offsets, columns + 1, "rows of a group"));
  HG_TRY(HG_ALLOC(g->entry_offsets, columns + 1, "edges of a group"));
  for (int c = 0; c <= columns; c++) {
    g->row_offsets[c] = (hg_lid)((part->nodes * c + columns - 1) / columns); // the first slab is a largest one
    g->entry_offsets[c] = part->edges * c / columns;
  }
  HG_TRY(count_sent(&slabs->links, part->sent));
done:
  return rc;
}

// The first slab as a part of as many as there are ranks.
static hg_status size_slab(sizes *s, const hg_graph *graph, const hg_part_extent *part, int n_groups, int columns)
{
  const hg_grid *g = &s->slabs.grid;
  const hg_features *f = &graph->nodes.features;
  hg_part *p = &s->dataset.part;
  hg_lid rows = g->row_offsets[1];
  hg_off edges = g->entry_offsets[1], others = part->nodes + part->halo - rows;
  hg_status rc = HG_OK;
  *p = (hg_part){.n_parts = n_groups * columns,
                 .n_owned = rows,
                 .n_global = graph->nodes.n,
                 .nodes = {.n = rows, .n_dims = graph->nodes.n_dims, .n_classes = graph->nodes.n_classes}};
  HG_TRY(hg_to_i32(&p->n_halo, edges < others ? edges : others, "neighbours of a slab"));
  HG_TRY(HG_ALLOC(s->row_ends, rows + 1, "edges of a slab"));
  s->row_ends[rows] = edges;
  p->a.indptr = s->row_ends;
  p->nodes.features.width = f->width;
  if (f->dense) p->nodes.features.dense = &s->some;
  s->dataset.header.symmetric = graph->symmetric;
  HG_TRY(count_sent(&s->dataset.links, p->n_halo)); // of a graph whose edges go both ways
done:
  return rc;
}

// entries of a slab's sparse features, which are as full as all are
static hg_status size_features(sizes *s, const hg_graph *graph)
{
  const hg_features *f = &graph->nodes.features;
  hg_part *p = &s->dataset.part;
  hg_status rc = HG_OK;
  if (!f->indptr) return rc;
  HG_TRY(HG_ALLOC(p->nodes.features.indptr, p->n_owned + 1, "entries of a slab"));
  p->nodes.features.indptr[p->n_owned] = f->indptr[graph->nodes.n] * p->n_owned / graph->nodes.n;
done:
  return rc;
}

hg_status hg_alone_plan_columns(hg_memory *memory, const hg_config *config, const hg_graph *graph,
                                const hg_part_extent *part, int n_groups, int columns)
{
  sizes s = {0};
  hg_config alike = *config;
  hg_status rc = HG_OK;
  alike.model.halo = (hg_halo_options){.sample = 1};
  HG_TRY(size_grid(&s.slabs, part, n_groups, columns));
  HG_TRY(size_slab(&s, graph, part, n_groups, columns));
  HG_TRY(size_features(&s, graph));
  HG_TRY(hg_memory_plan(memory, &alike, NULL, &s.dataset, &(hg_active){0}, &(hg_active){0}, &s.slabs));
done:
  free_sizes(&s);
  return rc;
}
