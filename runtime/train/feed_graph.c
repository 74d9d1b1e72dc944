#include "runtime/train/feed_graph.h"

#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "models/scored.h"
#include "runtime/train/check_model.h"
#include "runtime/train/choose_columns.h"

// what is shown of the training nodes' labels
static hg_status make_labels(hg_trainer *t)
{
  hg_graph_feed *feed = t->feed;
  const hg_labelled *l = &t->labelled;
  const hg_model_options *o = &t->config->model;
  hg_status rc = HG_OK;
  if (o->label_rate <= 0) return HG_OK;
  HG_TRY_ALL(t->world, "loading labels", HG_ALLOC(feed->hidden, l->n_rows[HG_SPLIT_TRAIN], "nodes of the loss"));
  HG_TRY(hg_label_input_create(&feed->labels, &feed->stage.graph, l->truth.labels, l->rows[HG_SPLIT_TRAIN],
                               l->n_rows[HG_SPLIT_TRAIN], l->n_classes, t->model.layers[0].f_out, o->label_rate));
  hg_model_show_labels(&t->model, &feed->labels);
done:
  return rc;
}

// before a pass: sums of what is shown
static void sum_labels(hg_trainer *t)
{
  const hg_layer *first = &t->model.layers[0];
  const hg_matrix e = hg_layer_parameter(first, first->theta, "label");
  if (first->labels) hg_label_input_sum(first->labels, &e);
}

// The rows of an epoch's loss: training nodes that do not show their labels; if all of them would, none does.
static void hide_labels(hg_trainer *t, hg_step_task *task, uint64_t seed, int epoch)
{
  hg_graph_feed *feed = t->feed;
  if (!t->model.layers[0].labels) return;
  hg_label_input_draw(&feed->labels, seed, epoch);
  hg_off n = hg_label_input_hidden(&feed->labels, task->rows, task->n, feed->hidden);
  double weight = hg_loss_weight(&t->loss, task->truth, feed->hidden, n);
  hg_sum_doubles(t->world, &weight, 1);
  if (weight > 0) {
    task->rows = feed->hidden;
    task->n = n;
    task->weight = weight;
  } else {
    hg_label_input_show(&feed->labels, false);
  }
  sum_labels(t);
}

static hg_status choose_columns(const hg_trainer *t, hg_graph_feed *feed)
{
  hg_column_speeds speeds;
  if (t->config->parallel.before > 0) {
    feed->columns = t->config->parallel.before;
    return HG_OK;
  }
  hg_status rc = hg_column_speeds_measure(&speeds, t->world, &feed->dataset.part);
  if (rc != HG_OK) return rc;
  return hg_columns_choose(t->world, t->config, feed->dataset.parts_path, &speeds, &feed->columns);
}

// known before a large graph is partitioned
static hg_status load(hg_trainer *t, const hg_trained *trained)
{
  hg_graph_feed *feed = NULL;
  hg_status rc = HG_OK;
  HG_TRY_ALL(t->world, "loading parts", HG_ALLOC(feed, 1, "data"));
  t->feed = feed;
  feed->trains = !trained;
  t->scales = &feed->dataset.scales;
  HG_TRY_ALL(t->world, "planning the model", hg_check_pooling(t->config));
  feed->columns = 1; // a trained model computes two passes: not worth edges of other parts
  if (!trained)
    HG_TRY_ALL(t->world, "planning the model", hg_config_columns(t->config, hg_world_size(t->world), &feed->columns));
  HG_TRY(hg_dataset_load_slabs(&feed->dataset, t->world, t->config, trained, feed->columns));
  if (!trained && t->config->parallel.mode == HG_PARALLEL_AUTO) HG_TRY(choose_columns(t, feed));
  const hg_dataset *d = &feed->dataset;
  t->labelled = d->labelled;
  t->facts = (hg_data_facts){.fingerprint = d->header.fingerprint,
                             .n_items = d->part.n_global,
                             .n_nodes = d->header.n_nodes,
                             .n_edges = d->header.n_edges,
                             .edge_cut = d->edge_cut,
                             .halo_nodes = d->halo_nodes,
                             .partition_seconds = d->partition_seconds,
                             .reorder_seconds = d->reorder_seconds,
                             .columns = feed->columns};
done:
  return rc;
}

static hg_status make_means(hg_trainer *t)
{
  hg_graph_feed *feed = t->feed;
  hg_off n = t->labelled.n_items;
  hg_status rc = HG_OK;
  if (t->config->augment.test_samples == 0) return HG_OK;
  HG_TRY(hg_matrix_create(&feed->mean.logits, n, t->labelled.n_classes, "means of outputs"));
  HG_TRY(hg_matrix_create(&feed->mean.embeddings, n, hg_model_embeddings(&t->model).cols, "means of embeddings"));
done:
  return rc;
}

// the scale of a trained model, or the one that is learned here
static hg_status place(hg_trainer *t)
{
  hg_local_graph *g = &hg_graph_feed_of(t)->stage.graph;
  hg_status rc = hg_local_graph_place(g, t->scales->position);
  if (rc == HG_OK) t->scales->position = g->position_scale;
  return rc;
}

// which rows reach the scores of an evaluation: of nodes of all splits whose labels are known
static hg_status find_scored(hg_trainer *t, int n_levels)
{
  hg_graph_feed *feed = t->feed;
  const hg_labelled *l = &t->labelled;
  const hg_dataset *d = &feed->dataset;
  hg_lid *rows = NULL;
  hg_off n = 0;
  hg_status rc = HG_OK;
  HG_TRY_ALL(t->world, "finding scored rows", HG_ALLOC(rows, l->n_items, "scored nodes"));
  for (int s = HG_SPLIT_TRAIN; s < HG_SPLIT_COUNT; s++)
    for (hg_off r = 0; r < l->n_rows[s]; r++) rows[n++] = l->rows[s][r];
  HG_TRY(hg_active_create(&feed->scored, t->world, &d->part, &d->links, rows, n, n_levels));
done:
  hg_free(&rows);
  return rc;
}

// which rows reach the training loss, and which a score, of what is trained
static hg_status find_active(hg_trainer *t)
{
  hg_graph_feed *feed = t->feed;
  const hg_labelled *l = &t->labelled;
  const hg_dataset *d = &feed->dataset;
  if (!feed->trains || !t->config->train.active_sets || feed->columns > 1) return HG_OK;
  int n_levels = hg_model_active_levels(&t->config->model);
  hg_status rc = hg_active_create(&feed->active, t->world, &d->part, &d->links, l->rows[HG_SPLIT_TRAIN],
                                  l->n_rows[HG_SPLIT_TRAIN], n_levels);
  return rc == HG_OK ? find_scored(t, hg_model_scored_levels(&t->config->model)) : rc;
}

// the graph of the model: this rank's part, or its rows with the edges of a part that ranks share
static hg_status make_graph(hg_trainer *t)
{
  hg_graph_feed *feed = t->feed;
  const hg_dataset *d = &feed->dataset;
  const hg_model_options *o = &t->config->model;
  hg_local_graph *g = &feed->stage.graph;
  hg_status rc = HG_OK;
  if (feed->columns == 1)
    return hg_local_graph_create(g, t->world, &d->part, &d->links, o->normalization, o->self_loops);
  HG_TRY(hg_slabs_build(&feed->slabs, t->world, &d->part, o->normalization, o->self_loops));
  HG_TRY_ALL(t->world, "joining parts", hg_slabs_rows(g, t->world, &d->part, &feed->slabs));
done:
  return rc;
}

static hg_status build(hg_trainer *t)
{
  hg_graph_feed *feed = t->feed;
  hg_dataset *d = &feed->dataset;
  const hg_model_options *o = &t->config->model;
  hg_status rc = HG_OK;
  HG_TRY_ALL(t->world, "planning the model", hg_check_positions(t->config, &d->part.nodes));
  HG_TRY_ALL(t->world, "planning the model", hg_check_labels(t->config, t->labelled.task, true));
  HG_TRY(find_active(t));
  hg_slabs *slabs = feed->columns > 1 ? &feed->slabs : NULL;
  if (slabs) HG_TRY(hg_slabs_create(slabs, t->world, &d->part, feed->columns));
  HG_TRY_ALL(t->world, "planning memory",
             hg_memory_plan(&t->planned, t->config, t->world, d, &feed->active, &feed->scored, slabs));
  HG_TRY(make_graph(t));
  if (hg_needs_positions(t->config)) HG_TRY(place(t));
  HG_TRY_ALL(t->world, "keeping positions", hg_augment_prepare(&t->config->augment, &feed->stage.graph));
  HG_TRY(hg_input_create(&feed->input, &feed->stage.graph, &d->part.nodes.features));
  HG_TRY(hg_model_create(&t->model, o, &feed->stage, 1, &feed->input, d->part.nodes.n_classes));
  HG_TRY(hg_model_activate(&t->model, &feed->active));
  HG_TRY(hg_model_score(&t->model, &feed->scored));
  HG_TRY(make_labels(t));
  HG_TRY_ALL(t->world, "allocating outputs", make_means(t));
done:
  return rc;
}

static hg_step epoch(hg_trainer *t, uint64_t seed, const hg_plan *plan, hg_worker *worker, hg_phases *phases)
{
  hg_graph_feed *feed = t->feed;
  const hg_augment augment = hg_augment_training(&t->config->augment, seed, plan->epoch);
  hg_pass pass = {.training = true, .seed = seed, .epoch = plan->epoch, .phases = phases};
  hg_step_task task = {.plan = plan,
                       .worker = worker,
                       .truth = &t->labelled.truth,
                       .rows = t->labelled.rows[HG_SPLIT_TRAIN],
                       .n = t->labelled.n_rows[HG_SPLIT_TRAIN],
                       .weight = t->train_weight};
  pass.turn = hg_augment_graph(&augment, &feed->stage.graph, feed->map);
  hide_labels(t, &task, seed, plan->epoch);
  hg_phases_lap(phases, HG_PHASE_ELEMENTWISE);
  hg_matrix logits = hg_model_forward(&t->model, &pass);
  return hg_trainer_update(t, &task, &pass, &logits);
}

// Without dropout, with the nodes where `augment` has them; NULL: where they are. Not `all`: those that are scored.
static hg_outputs outputs_of(hg_trainer *t, const hg_augment *augment, bool all)
{
  hg_graph_feed *feed = t->feed;
  hg_phases unused;
  hg_phases_start(&unused);
  hg_pass pass = {.training = false, .scored = !all, .phases = &unused};
  pass.turn = hg_augment_graph(augment, &feed->stage.graph, feed->map);
  if (t->model.layers[0].labels) hg_label_input_show(&feed->labels, true);
  sum_labels(t);
  hg_matrix logits = hg_model_forward(&t->model, &pass);
  logits.rows = t->labelled.n_items;
  return (hg_outputs){logits, hg_model_embeddings(&t->model)};
}

// the k-th of n passes; the first one sets the mean
static void add_to_mean(hg_matrix *mean, const hg_matrix *m, int k, int n)
{
  if (k == 0) memset(mean->data, 0, (size_t)(mean->rows * mean->cols) * sizeof *mean->data);
  for (hg_off e = 0; e < mean->rows * mean->cols; e++) mean->data[e] += m->data[e] / (hg_real)n;
}

static hg_outputs outputs(hg_trainer *t, bool all)
{
  hg_graph_feed *feed = t->feed;
  const hg_augment_options *options = &t->config->augment;
  int n = options->test_samples;
  if (n == 0) return outputs_of(t, NULL, all);
  for (int k = 0; k < n; k++) {
    const hg_augment augment = hg_augment_test(options, t->config->seed, k);
    const hg_outputs sample = outputs_of(t, &augment, all);
    add_to_mean(&feed->mean.logits, &sample.logits, k, n);
    if (all) add_to_mean(&feed->mean.embeddings, &sample.embeddings, k, n);
  }
  return feed->mean;
}

static void describe(const hg_trainer *t, char *line, size_t size)
{
  const hg_graph_feed *feed = hg_graph_feed_of(t);
  bool alone = feed->columns == 1;
  const hg_part *p = &feed->dataset.part, *shared = alone ? p : &feed->slabs.grid.part;
  double maxima[] = {(double)p->n_owned, (double)shared->n_halo, (double)hg_csr_entries(&shared->a)};
  char with[48] = "";
  hg_max_doubles(t->world, maxima, 3);
  if (!alone) snprintf(with, sizeof with, " of a part that %d ranks share", feed->columns);
  snprintf(line, size, "largest rank: %.0f owned and %.0f halo nodes, %.0f edges%s", maxima[0], maxima[1], maxima[2],
           with);
}

static void free_feed(hg_trainer *t)
{
  hg_graph_feed *feed = t->feed;
  hg_matrix_free(&feed->mean.logits);
  hg_matrix_free(&feed->mean.embeddings);
  hg_input_free(&feed->input);
  hg_label_input_free(&feed->labels);
  hg_free(&feed->hidden);
  hg_active_free(&feed->active);
  hg_active_free(&feed->scored);
  hg_slabs_free(&feed->slabs);
  hg_local_graph_free(&feed->stage.graph);
  hg_dataset_free(&feed->dataset);
  hg_free(&t->feed);
}

const hg_feed_type hg_feed_graph = {.item = "node",
                                    .scored = HG_SPLIT_TRAIN,
                                    .load = load,
                                    .build = build,
                                    .epoch = epoch,
                                    .outputs = outputs,
                                    .describe = describe,
                                    .free_feed = free_feed};
