// Batch after batch of a collection's graphs: one optimiser step each.
#include "runtime/train/feed_collection.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/tensor/geo.h"
#include "runtime/train/check_model.h"

// with coarsenings and mean_edge the positions of every level have the unit of the finest one
static hg_status make_hierarchy(hg_trainer *t)
{
  hg_collection_feed *f = t->feed;
  const hg_model_options *o = &t->config->model;
  return hg_hierarchy_create(&f->hierarchy, &f->collection, hg_model_coarsenings(o), o->pooling_weight,
                             f->scales.position);
}

// graphs of a step; a collection of fewer is one batch
static hg_off batch_size(const hg_trainer *t)
{
  hg_off n = hg_collection_feed_of(t)->collection.n_graphs, wanted = t->config->train.batch_size;
  return wanted < n ? wanted : n;
}

static hg_status make_lists(hg_trainer *t)
{
  hg_collection_feed *f = t->feed;
  hg_off size = batch_size(t);
  const hg_sharing sharing = {hg_world_rank(t->world), hg_world_size(t->world), f->work};
  hg_status rc = HG_OK;
  HG_TRY(hg_batch_list_create(&f->epoch, f->n_training, size, sharing));
  HG_TRY(hg_batch_list_create(&f->evaluation, f->items.n, size, sharing));
  HG_TRY(HG_ALLOC(f->ramp, size, "rows of a batch"));
  HG_TRY(HG_ALLOC(f->numbers, size, "graphs of a batch"));
  for (hg_lid k = 0; k < size; k++) f->ramp[k] = k;
done:
  return rc;
}

// what is kept for each graph, beside the collection and its batches
static void plan_lists(hg_trainer *t)
{
  const hg_collection_feed *f = t->feed;
  const hg_nodes *items = &f->items;
  int ranks = hg_world_size(t->world);
  hg_off outputs = t->labelled.n_classes, truth = HG_SPLIT_COUNT * (hg_off)sizeof(hg_lid) + 1 + (hg_off)sizeof(int64_t);
  if (items->labels) truth += (hg_off)sizeof *items->labels;
  if (items->label_bits) truth += hg_label_bytes(t->labelled.n_classes);
  if (items->targets) truth += outputs * (hg_off)sizeof *items->targets;
  size_t lists = 3 * (size_t)f->collection.n_graphs * sizeof(hg_off) + (size_t)(items->n * truth) +
                 hg_batch_list_bytes(f->n_training, batch_size(t), ranks) +
                 hg_batch_list_bytes(items->n, batch_size(t), ranks) + 2 * (size_t)batch_size(t) * sizeof(hg_lid);
  size_t kept = (size_t)(items->n * (outputs + t->config->model.hidden)) * sizeof(hg_real);
  t->planned.graph += lists;
  t->planned.workspace += kept;
  t->planned.total += lists + kept;
}

static hg_status make_batches(hg_trainer *t)
{
  hg_collection_feed *f = t->feed;
  const hg_model_options *o = &t->config->model;
  hg_batch_room room = {0};
  hg_status rc = HG_OK;
  HG_TRY(make_hierarchy(t));
  f->source = (hg_batch_source){t->world, &f->collection, &f->hierarchy, o->normalization, o->self_loops};
  HG_TRY(hg_batch_room_create(&room, &f->hierarchy, batch_size(t)));
  HG_TRY(hg_memory_plan_batches(&t->planned, t->config, &f->source, &room));
  plan_lists(t);
  HG_TRY(hg_batch_stream_create(&f->stream, &f->source, &room));
  HG_TRY(make_lists(t));
done:
  hg_batch_room_free(&room);
  return rc;
}

static hg_status make_outputs(hg_trainer *t)
{
  hg_collection_feed *f = t->feed;
  hg_status rc = HG_OK;
  HG_TRY(hg_matrix_create(&f->logits, f->items.n, t->labelled.n_classes, "outputs"));
  HG_TRY(hg_matrix_create(&f->embeddings, f->items.n, hg_model_embeddings(&t->model).cols, "embeddings"));
done:
  return rc;
}

static hg_status check_model(const hg_config *config, const hg_nodes *nodes)
{
  if (config->partition.path[0])
    return hg_fail(HG_ERR_INPUT, "partition.path: found %s, but the graphs of %s are given to the ranks as a whole",
                   config->partition.path, config->dataset.path);
  if (config->parallel.mode != HG_PARALLEL_PARTS)
    return hg_fail(HG_ERR_INPUT, "parallel.mode: found %s, but the graphs of %s are given to the ranks as a whole",
                   config->parallel.mode == HG_PARALLEL_GRID   ? "grid"
                   : config->parallel.mode == HG_PARALLEL_AUTO ? "auto"
                                                               : "features",
                   config->dataset.path);
  if (config->model.pooling == HG_POOLING_CLUSTER && nodes->n_dims == 0)
    return hg_fail(HG_ERR_INPUT, "model.pooling: cluster needs positions of the nodes, found none in %s",
                   config->dataset.path);
  hg_status rc = hg_check_positions(config, nodes);
  return rc == HG_OK ? hg_check_labels(config, nodes->task, false) : rc;
}

static hg_status build(hg_trainer *t)
{
  hg_collection_feed *f = t->feed;
  hg_status rc = HG_OK;
  HG_TRY_ALL(t->world, "planning the model", check_model(t->config, &f->collection.united.nodes));
  HG_TRY_ALL(t->world, "making batches", make_batches(t));
  const hg_batch *batch = hg_batch_stream_model(f->stream);
  f->input = hg_input_view(&batch->x);
  HG_TRY(
      hg_model_create(&t->model, &t->config->model, batch->stages, batch->n_stages, &f->input, t->labelled.n_classes));
  HG_TRY_ALL(t->world, "making batches", make_outputs(t));
done:
  return rc;
}

static hg_matrix forward(hg_trainer *t, const hg_batch *batch, const hg_pass *pass)
{
  hg_collection_feed *f = t->feed;
  f->input = hg_input_view(&batch->x);
  hg_model_bind(&t->model, batch->stages, &f->input);
  return hg_model_forward(&t->model, pass);
}

// what the graphs of the whole batch weigh, on all ranks
static double weigh_batch(const hg_trainer *t, hg_off b)
{
  const hg_collection_feed *f = t->feed;
  const hg_nodes *items = &f->collection.items;
  const hg_truth truth = {items->labels, items->label_bits, items->targets, items->n_classes};
  hg_off n = hg_batch_list_size(&f->epoch, b);
  for (hg_off k = 0; k < n; k++) f->numbers[k] = (hg_lid)f->epoch.graphs[b * f->epoch.batch_size + k];
  return hg_loss_weight(&t->loss, &truth, f->numbers, n);
}

static hg_step epoch(hg_trainer *t, uint64_t seed, const hg_plan *plan, hg_worker *worker, hg_phases *phases)
{
  hg_collection_feed *f = t->feed;
  const hg_augment augment = hg_augment_training(&t->config->augment, seed, plan->epoch);
  hg_real map[HG_GEO_DIMS * HG_GEO_DIMS];
  hg_pass pass = {.training = true, .seed = seed, .epoch = plan->epoch, .phases = phases};
  hg_step_task task = {.plan = plan, .worker = worker, .rows = f->ramp};
  hg_step all = {0};
  const hg_batch *batch;
  hg_batch_list_shuffle(&f->epoch, f->training, seed, plan->epoch);
  hg_batch_stream_begin(f->stream, &f->epoch, &augment);
  for (hg_off b = 0; (batch = hg_batch_stream_next(f->stream)) != NULL; b++) {
    hg_phases_lap(phases, HG_PHASE_BATCH);
    pass.turn = hg_augment_batch_map(&augment, (uint64_t)b, f->hierarchy.levels[0].n_dims, map);
    hg_matrix logits = forward(t, batch, &pass);
    task.truth = &batch->truth;
    task.n = batch->n_graphs;
    task.weight = weigh_batch(t, b);
    hg_step step = hg_trainer_update(t, &task, &pass, &logits);
    if (all.status == HG_OK) all.status = step.status;
    all.loss.loss += step.loss.loss;
    all.loss.weight += step.loss.weight;
  }
  return all;
}

static void put_rows(hg_matrix *to, hg_off first, const hg_matrix *from)
{
  for (hg_off e = 0; e < from->rows * from->cols; e++) to->data[first * to->cols + e] += from->data[e];
}

// adds the outputs of one forward pass over the list
static void add_outputs(hg_trainer *t, const hg_augment *augment, bool embeddings)
{
  hg_collection_feed *f = t->feed;
  hg_real map[HG_GEO_DIMS * HG_GEO_DIMS];
  hg_phases unused;
  hg_pass pass = {.training = false, .phases = &unused};
  const hg_batch *batch;
  hg_phases_start(&unused);
  hg_batch_stream_begin(f->stream, &f->evaluation, augment);
  if (augment) pass.turn = hg_augment_batch_map(augment, 0, f->hierarchy.levels[0].n_dims, map);
  for (hg_off row = 0; (batch = hg_batch_stream_next(f->stream)) != NULL; row += batch->n_graphs) {
    hg_matrix logits = forward(t, batch, &pass), hidden = hg_model_embeddings(&t->model);
    put_rows(&f->logits, row, &logits);
    if (embeddings) put_rows(&f->embeddings, row, &hidden);
  }
}

static void divide(hg_matrix *m, int n)
{
  for (hg_off e = 0; e < m->rows * m->cols; e++) m->data[e] /= (hg_real)n;
}

static hg_outputs outputs(hg_trainer *t, bool all)
{
  hg_collection_feed *f = t->feed;
  const hg_augment_options *o = &t->config->augment;
  hg_batch_list_own(&f->evaluation, f->own, all ? f->items.n : f->n_scored);
  memset(f->logits.data, 0, (size_t)(f->logits.rows * f->logits.cols) * sizeof(hg_real));
  memset(f->embeddings.data, 0, (size_t)(f->embeddings.rows * f->embeddings.cols) * sizeof(hg_real));
  for (int k = 0; k < o->test_samples; k++) {
    const hg_augment augment = hg_augment_test(o, t->config->seed, k);
    add_outputs(t, &augment, all);
  }
  if (o->test_samples == 0) add_outputs(t, NULL, all);
  if (o->test_samples > 1) divide(&f->logits, o->test_samples);
  if (o->test_samples > 1) divide(&f->embeddings, o->test_samples);
  return (hg_outputs){f->logits, f->embeddings};
}

static void describe(const hg_trainer *t, char *line, size_t size)
{
  const hg_collection_feed *f = t->feed;
  snprintf(line, size,
           "%" PRId64 " graphs, %" PRId64 " of them to train on, %" PRId64 " nodes, %" PRId64 " edges; %" PRId64
           " batches of %" PRId64 " graphs an epoch",
           f->collection.n_graphs, f->n_training, t->facts.n_nodes, t->facts.n_edges, f->epoch.n_batches,
           f->epoch.batch_size);
}

static void free_feed(hg_trainer *t)
{
  hg_collection_feed *f = t->feed;
  hg_batch_stream_free(&f->stream);
  hg_batch_list_free(&f->epoch);
  hg_batch_list_free(&f->evaluation);
  hg_hierarchy_free(&f->hierarchy);
  hg_collection_free(&f->collection);
  hg_nodes_free(&f->items);
  hg_labelled_free(&t->labelled);
  hg_scales_free(&f->scales);
  hg_matrix_free(&f->logits);
  hg_matrix_free(&f->embeddings);
  hg_free(&f->work);
  hg_free(&f->training);
  hg_free(&f->own);
  hg_free(&f->ramp);
  hg_free(&f->numbers);
  hg_free(&t->feed);
}

const hg_feed_type hg_feed_collection = {.item = "graph",
                                         .scored = HG_SPLIT_VAL,
                                         .load = hg_collection_feed_load,
                                         .build = build,
                                         .epoch = epoch,
                                         .outputs = outputs,
                                         .describe = describe,
                                         .free_feed = free_feed};
