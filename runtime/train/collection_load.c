// The data of a run on a collection: read by every rank, scaled alike, and shared for evaluation.
#include <string.h>

#include "core/base/alloc.h"
#include "core/graph/store.h"
#include "runtime/train/feed_collection.h"

static hg_status check_contents(const hg_collection *c, const char *path, bool training)
{
  const hg_nodes *items = &c->items;
  if (c->united.nodes.features.width < 1)
    return hg_fail(HG_ERR_INPUT, "%s: found no node features, a model needs some", path);
  if (!training) return HG_OK;
  if (items->task == HG_TASK_NONE)
    return hg_fail(HG_ERR_INPUT, "%s: found no labels or targets of the graphs, training needs some", path);
  if (!items->split)
    return hg_fail(HG_ERR_INPUT, "%s: found no split, expected one: import it or make it with `halognn import --split`",
                   path);
  return HG_OK;
}

static hg_status list_training(hg_collection_feed *f, const char *path, bool training)
{
  const hg_nodes *items = &f->collection.items;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(f->training, items->n, "training graphs"));
  for (hg_off g = 0; g < items->n && items->split; g++)
    if (items->split[g] == HG_SPLIT_TRAIN && hg_label_known(items, g)) f->training[f->n_training++] = g;
  if (training && f->n_training == 0)
    rc = hg_fail(HG_ERR_INPUT, "%s: found no labelled training graph, expected at least one", path);
done:
  return rc;
}

// 1 / the mean length of all edges, with mean_edge
static double position_scale(const hg_collection *c, const hg_config *config)
{
  double mean = config->model.normalize_positions == HG_POSITIONS_MEAN_EDGE ? hg_collection_mean_edge(c) : 0;
  return mean > 0 ? 1 / mean : 1;
}

// every rank has all graphs, so the statistics need no sum over ranks
static hg_status learn_scales(hg_collection_feed *f, const hg_config *config)
{
  const hg_collection *c = &f->collection;
  hg_lid *nodes = NULL, *graphs = NULL;
  hg_off n = 0;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(nodes, c->united.nodes.n, "training nodes"));
  HG_TRY(HG_ALLOC(graphs, f->n_training, "training graphs"));
  for (hg_off k = 0; k < f->n_training; k++) {
    hg_off g = f->training[k];
    graphs[k] = (hg_lid)g;
    for (hg_off i = c->graph_ptr[g]; i < c->graph_ptr[g + 1]; i++) nodes[n++] = (hg_lid)i;
  }
  f->scales.position = position_scale(c, config);
  HG_TRY(hg_scales_learn_features(&f->scales, &c->united.nodes.features, (hg_scaling_sample){NULL, nodes, n},
                                  config->dataset.normalize_features));
  HG_TRY(hg_scales_learn_targets(&f->scales, &c->items, (hg_scaling_sample){NULL, graphs, f->n_training},
                                 config->dataset.normalize_targets));
done:
  hg_free(&nodes);
  hg_free(&graphs);
  return rc;
}

static hg_status scale(hg_collection_feed *f, const hg_config *config, const hg_trained *trained)
{
  hg_nodes *nodes = &f->collection.united.nodes, *items = &f->collection.items;
  hg_status rc = HG_OK;
  if (trained && hg_scales_known(trained->scales))
    HG_TRY(hg_trained_scales(trained, &f->scales, &nodes->features, items, config, config->dataset.path));
  else
    HG_TRY(learn_scales(f, config));
  hg_scale_features(&nodes->features, nodes->n, config->dataset.normalize_features, &f->scales);
  hg_scale_targets(items, &f->scales);
done:
  return rc;
}

static hg_status weigh(hg_collection_feed *f)
{
  const hg_collection *c = &f->collection;
  hg_status rc = HG_ALLOC(f->work, c->n_graphs, "work of graphs");
  if (rc != HG_OK) return rc;
  const hg_off *indptr = c->united.adjacency.indptr;
  for (hg_off g = 0; g < c->n_graphs; g++) {
    hg_off first = c->graph_ptr[g], end = c->graph_ptr[g + 1];
    f->work[g] = end - first + indptr[end] - indptr[first];
  }
  return HG_OK;
}

// appends this rank's share of a split's graphs to `own`; `all` is room
static void take_share(hg_collection_feed *f, hg_sharing sharing, int split, hg_off *all)
{
  const hg_nodes *items = &f->collection.items;
  hg_off n = 0, first, end;
  for (hg_off g = 0; g < items->n; g++)
    if ((items->split ? items->split[g] : HG_SPLIT_NONE) == split) all[n++] = g;
  hg_share_stretch(sharing, all, n, &first, &end);
  memcpy(f->own + f->items.n, all + first, (size_t)(end - first) * sizeof *all);
  f->items.n += end - first;
}

static hg_status share_items(hg_collection_feed *f, hg_sharing sharing)
{
  static const hg_split order[] = {HG_SPLIT_VAL, HG_SPLIT_TEST, HG_SPLIT_TRAIN, HG_SPLIT_NONE};
  hg_off *all = NULL;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(f->own, f->collection.n_graphs, "graphs to evaluate"));
  HG_TRY(HG_ALLOC(all, f->collection.n_graphs, "graphs of a split"));
  for (int k = 0; k < HG_SPLIT_COUNT; k++) {
    take_share(f, sharing, (int)order[k], all);
    if (order[k] == HG_SPLIT_TEST) f->n_scored = f->items.n;
  }
done:
  hg_free(&all);
  return rc;
}

static void copy_item(hg_nodes *to, const hg_nodes *from, hg_off i, hg_off g)
{
  hg_off c = from->n_classes, bytes = hg_label_bytes(from->n_classes);
  if (from->labels) to->labels[i] = from->labels[g];
  if (from->label_bits) memcpy(to->label_bits + i * bytes, from->label_bits + g * bytes, (size_t)bytes);
  if (from->targets) memcpy(to->targets + i * c, from->targets + g * c, (size_t)c * sizeof *to->targets);
  if (from->split) to->split[i] = from->split[g];
  to->original_ids[i] = from->original_ids[g];
}

// the truth of this rank's share, in the order of `own`
static hg_status copy_items(hg_collection_feed *f)
{
  const hg_nodes *from = &f->collection.items;
  hg_nodes *to = &f->items;
  hg_status rc = HG_OK;
  to->task = from->task;
  to->n_classes = from->n_classes;
  if (from->labels) HG_TRY(HG_ALLOC(to->labels, to->n, "labels"));
  if (from->label_bits) HG_TRY(HG_ALLOC(to->label_bits, to->n * hg_label_bytes(to->n_classes), "label bits"));
  if (from->targets) HG_TRY(HG_ALLOC(to->targets, to->n * to->n_classes, "targets"));
  if (from->split) HG_TRY(HG_ALLOC(to->split, to->n, "splits"));
  HG_TRY(HG_ALLOC(to->original_ids, to->n, "original ids"));
  for (hg_off i = 0; i < to->n; i++) copy_item(to, from, i, f->own[i]);
done:
  return rc;
}

static hg_status load_alone(hg_trainer *t, const hg_trained *trained)
{
  hg_collection_feed *f = t->feed;
  hg_collection *c = &f->collection;
  hg_nodes *items = &c->items;
  const char *path = t->config->dataset.path;
  hg_sharing sharing = {.rank = hg_world_rank(t->world), .ranks = hg_world_size(t->world)};
  hg_status rc = HG_OK;
  HG_TRY(hg_store_read_collection(path, c));
  t->facts = (hg_data_facts){.fingerprint = hg_collection_fingerprint(c),
                             .columns = 1,
                             .n_items = c->n_graphs,
                             .n_nodes = c->united.nodes.n,
                             .n_edges = hg_csr_entries(&c->united.adjacency)};
  if (t->config->dataset.append_positions)
    HG_TRY(hg_context(hg_nodes_append_positions(&c->united.nodes), "dataset.append_positions: %s", path));
  HG_TRY(check_contents(c, path, !trained));
  if (trained && trained->fingerprint != t->facts.fingerprint)
    HG_TRY(hg_trained_adopt(trained, items, t->config, path));
  HG_TRY(list_training(f, path, !trained));
  HG_TRY(scale(f, t->config, trained));
  HG_TRY(weigh(f));
  sharing.work = f->work;
  HG_TRY(share_items(f, sharing));
  HG_TRY(copy_items(f));
  HG_TRY(hg_labelled_create(&t->labelled, &f->items));
  t->labelled.target_mean = f->scales.target_mean;
  t->labelled.target_scale = f->scales.target_scale;
  if (trained && !items->labels && !items->label_bits && !items->targets) items->task = HG_TASK_NONE; // of batches
done:
  return rc;
}

hg_status hg_collection_feed_load(hg_trainer *t, const hg_trained *trained)
{
  hg_collection_feed *feed = NULL;
  hg_status rc = HG_OK;
  HG_TRY_ALL(t->world, "loading the graphs", HG_ALLOC(feed, 1, "data"));
  t->feed = feed;
  t->scales = &feed->scales;
  HG_TRY_ALL(t->world, "loading the graphs", load_alone(t, trained));
done:
  return rc;
}
