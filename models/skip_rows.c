#include "models/skip_rows.h"

#include "core/base/alloc.h"

static int level_of(const hg_model *model, const hg_layer *layer) { return model->n_layers - 1 - layer->index; }

bool hg_skips_rows(const hg_model *model, const hg_active *active, const hg_layer *layer)
{
  int k = level_of(model, layer);
  if (!layer->type->skips_rows || k >= active->n_levels || layer->computes_halo || layer->graph->slabs) return false;
  if (!layer->cached) return active->levels[k].pruned;
  bool above = k == 0 || active->levels[k - 1].pruned;
  return above && active->levels[k].row_share <= HG_ACTIVE_WORTH;
}

static bool reads_sparse(const hg_layer *layer) { return layer->input && !layer->input->is_dense; }

static hg_first_rows all_rows(const hg_part *part)
{
  return (hg_first_rows){part->n_interior, part->n_owned - part->n_interior};
}

// the first rows that are marked among, of interior and of boundary nodes
static hg_first_rows first_marked(const hg_part *part, const uint8_t *marks)
{
  hg_first_rows first = all_rows(part);
  while (first.interior > 0 && !marks[first.interior - 1]) first.interior--;
  while (first.boundary > 0 && !marks[part->n_interior + first.boundary - 1]) first.boundary--;
  return first;
}

// a first layer's, whose halo is here: what its edges begin at on this rank
static hg_status read_input(const hg_active *active, int k, const hg_layer *layer, bool training, hg_first_rows *read)
{
  const hg_part *part = layer->graph->part;
  uint8_t *marks = NULL;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(marks, (hg_off)part->n_owned + part->n_halo, "rows that are read"));
  (void)hg_active_mark(active, k, part, marks);
  *read = first_marked(part, marks);
  if (training && reads_sparse(layer)) HG_TRY(hg_input_activate(layer->input, marks));
done:
  hg_free(&marks);
  return rc;
}

static void set_share(hg_model *model, const hg_layer *layer, bool training, double share)
{
  (training ? model->active_rows : model->scored_rows)[layer->index] = share;
}

hg_status hg_skip_rows(hg_model *model, hg_active *active, hg_layer *layer, bool training, const hg_local_graph **graph)
{
  if (!hg_skips_rows(model, active, layer)) return HG_OK;
  int k = level_of(model, layer);
  hg_active_level *level = &active->levels[k];
  const hg_part *part = layer->graph->part;
  hg_status rc = HG_OK;
  if (!level->pruned || layer->cached) level->graph = **graph;
  level->rows = (hg_active_rows){.made = level->first, .read = all_rows(part)};
  if (layer->index > 0 && hg_skips_rows(model, active, layer - 1))
    level->rows.read = (level + 1)->first;
  else if (layer->index == 0 && !layer->cached)
    rc = read_input(active, k, layer, training, &level->rows.read);
  level->graph.rows = &level->rows;
  *graph = &level->graph;
  set_share(model, layer, training, level->row_share);
  return rc;
}

hg_status hg_skip_rows_bytes(const hg_model *model, const hg_active *active, const hg_part *part, size_t *bytes)
{
  const hg_layer *first = &model->layers[0];
  const hg_off *entries = part->nodes.features.indptr;
  hg_off n = (hg_off)part->n_owned + part->n_halo, read = 0;
  uint8_t *marks = NULL;
  hg_status rc = HG_OK;
  *bytes = 0;
  if (!hg_skips_rows(model, active, first) || !reads_sparse(first) || !entries) return HG_OK;
  HG_TRY(HG_ALLOC(marks, n, "rows that are read"));
  hg_lid marked = hg_active_mark(active, level_of(model, first), part, marks), owned = 0;
  for (hg_lid i = 0; i < part->n_owned; i++) {
    owned += marks[i];
    if (marks[i]) read += entries[i + 1] - entries[i];
  }
  if (owned > 0) read = (hg_off)((double)read * (double)marked / (double)owned); // the halo's rows are as full
  *bytes = (size_t)(n + 1) * sizeof(hg_off) + (size_t)read * (sizeof(hg_lid) + sizeof(hg_real));
done:
  hg_free(&marks);
  return rc;
}

bool hg_prunes_edges(const hg_model *model, const hg_active *active, const hg_layer *layer)
{
  int k = level_of(model, layer);
  return hg_model_aggregates(layer) && k < active->n_levels && active->levels[k].pruned;
}

hg_active_edges hg_pruned_edges(const hg_model *model, const hg_layer *layer, bool training)
{
  const hg_model_options *o = &model->options;
  bool whole = layer->type->skips_rows; // hg_spmm leaves out edges as it goes
  if (!training) return whole ? HG_ACTIVE_ALL_EDGES : HG_ACTIVE_FORWARD_EDGES;
  if (!whole || o->halo.aggregation != HG_AGGREGATION_SOURCES) return HG_ACTIVE_EDGES;
  return o->recompute ? HG_ACTIVE_ALL_EDGES : HG_ACTIVE_TRANSPOSED;
}

hg_status hg_prune_edges(hg_model *model, hg_active *active, const hg_layer *layer, bool training,
                         const hg_local_graph **graph)
{
  if (!hg_prunes_edges(model, active, layer)) return HG_OK;
  int k = level_of(model, layer);
  hg_status rc = hg_active_build(active, k, layer->whole.graph, hg_pruned_edges(model, layer, training));
  *graph = &active->levels[k].graph;
  set_share(model, layer, training, active->levels[k].row_share);
  return rc;
}
