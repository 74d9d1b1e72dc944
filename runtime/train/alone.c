#include "runtime/train/alone.h"

#include <string.h>

#include "core/base/alloc.h"
#include "models/scored.h"
#include "runtime/train/check_model.h"

// the part, its labels and links, and what of it is active; the graph is known to fit the model
static hg_status load_part(hg_graph_feed *feed, const hg_config *config, const hg_alone_source *source)
{
  hg_dataset *d = &feed->dataset;
  hg_status rc = HG_OK;
  d->header.symmetric = source->graph->symmetric;
  HG_TRY(hg_part_extract(&d->part, source->graph, source->index, source->part));
  HG_TRY(hg_check_positions(config, &d->part.nodes));
  HG_TRY(hg_labelled_create(&d->labelled, &d->part.nodes));
  HG_TRY(hg_alone_count_links(&d->links, &d->part, source->sent, d->part.n_halo, false));
  if (!config->train.active_sets) return HG_OK;
  int trained = hg_model_active_levels(&config->model), scored = hg_model_scored_levels(&config->model);
  HG_TRY(hg_alone_find_active(&feed->active, &d->part, source, trained, false));
  HG_TRY(hg_alone_find_active(&feed->scored, &d->part, source, scored, true));
done:
  return rc;
}

static void free_base(hg_graph_feed *feed)
{
  hg_input_free(&feed->input);
  hg_active_free(&feed->active);
  hg_active_free(&feed->scored);
  hg_local_graph_free(&feed->stage.graph);
  hg_dataset_free(&feed->dataset);
}

hg_status hg_alone_plan_memory(hg_memory *memory, const hg_halo_options *ways, int n, const hg_config *config,
                               const hg_alone_source *source)
{
  hg_graph_feed feed = {0};
  hg_config packing = *config;
  hg_status rc = HG_OK;
  HG_TRY(load_part(&feed, config, source));
  for (int k = 0; k < n; k++) {
    packing.model.halo = ways[k];
    HG_TRY(hg_memory_plan(&memory[k], &packing, NULL, &feed.dataset, &feed.active, &feed.scored, NULL));
  }
done:
  free_base(&feed);
  return rc;
}

static hg_status load(hg_trainer *t, const hg_trained *trained)
{
  (void)trained;
  hg_alone_feed *feed = t->feed;
  hg_status rc = HG_OK;
  HG_TRY(load_part(&feed->base, t->config, &feed->source));
  t->labelled = feed->base.dataset.labelled;
  t->scales = &feed->base.dataset.scales;
done:
  return rc;
}

static hg_status build(hg_trainer *t)
{
  hg_alone_feed *feed = t->feed;
  hg_graph_feed *base = &feed->base;
  hg_dataset *d = &base->dataset;
  hg_model_options o = t->config->model;
  const hg_graph *whole = feed->source.graph;
  hg_status rc = HG_OK;
  HG_TRY(hg_memory_plan(&t->planned, t->config, NULL, d, &base->active, &base->scored, NULL));
  hg_alone_drop_peers(&d->links, &base->active);
  o.halo = (hg_halo_options){.sample = 1, .compute_first = HG_COMPUTE_FIRST_NEVER}; // nothing crosses
  HG_TRY(hg_local_graph_create_alone(&base->stage.graph, &d->part, &d->links, whole, o.normalization, o.self_loops));
  HG_TRY(hg_input_create_alone(&base->input, &d->part, &whole->nodes.features));
  hg_features_free(&d->part.nodes.features);
  HG_TRY(hg_model_create(&t->model, &o, &base->stage, 1, &base->input, d->part.nodes.n_classes));
  HG_TRY(hg_model_activate(&t->model, &base->active));
  HG_TRY(HG_ALLOC(feed->layer_s, 2 * (hg_off)t->model.n_layers, "seconds of layers"));
done:
  return rc;
}

static hg_step epoch(hg_trainer *t, uint64_t seed, const hg_plan *plan, hg_worker *worker, hg_phases *phases)
{
  const hg_alone_feed *feed = t->feed;
  const hg_pass pass = {
      .training = true, .seed = seed, .epoch = plan->epoch, .phases = phases, .layer_s = feed->layer_s};
  const hg_step_task task = {.plan = plan,
                             .worker = worker,
                             .truth = &t->labelled.truth,
                             .rows = t->labelled.rows[HG_SPLIT_TRAIN],
                             .n = t->labelled.n_rows[HG_SPLIT_TRAIN],
                             .weight = t->train_weight};
  memset(feed->layer_s, 0, 2 * (size_t)t->model.n_layers * sizeof *feed->layer_s);
  hg_matrix logits = hg_model_forward(&t->model, &pass);
  return hg_trainer_update(t, &task, &pass, &logits);
}

static hg_outputs outputs(hg_trainer *t, bool all)
{
  (void)all;
  return (hg_outputs){t->model.layers[t->model.n_layers - 1].h, hg_model_embeddings(&t->model)};
}

static void describe(const hg_trainer *t, char *line, size_t size)
{
  (void)t;
  if (size > 0) line[0] = '\0';
}

static void free_feed(hg_trainer *t)
{
  hg_alone_feed *feed = t->feed;
  free_base(&feed->base);
  hg_free(&feed->layer_s);
  hg_free(&t->feed);
}

static const hg_feed_type feed_alone = {.item = "node",
                                        .scored = HG_SPLIT_TRAIN,
                                        .load = load,
                                        .build = build,
                                        .epoch = epoch,
                                        .outputs = outputs,
                                        .describe = describe,
                                        .free_feed = free_feed};

hg_status hg_alone_create(hg_trainer *trainer, const hg_config *config, const hg_alone_source *source)
{
  hg_alone_feed *feed = NULL;
  hg_status rc = HG_OK;
  *trainer = (hg_trainer){0};
  HG_TRY(HG_ALLOC(feed, 1, "data"));
  feed->source = *source;
  HG_TRY(hg_trainer_create_alone(trainer, config, &feed_alone, feed));
  hg_trainer_start(trainer, config->seed);
done:
  return rc;
}

void hg_alone_fill_halos(hg_trainer *trainer)
{
  enum { RELU_HALVES = 2, BITS = 16 };
  const uint32_t spread = 2654435761u; // Knuth's multiplicative hash
  for (hg_layer *l = trainer->model.layers + 1; l < trainer->model.layers + trainer->model.n_layers; l++) {
    uint32_t left = (uint32_t)((1 - l->dropout) / RELU_HALVES * (1 << BITS));
    if (!l->x.data) continue;
    for (hg_off e = (hg_off)l->graph->n_owned * l->x.cols; e < l->x.rows * l->x.cols; e++)
      l->x.data[e] = (uint32_t)e * spread >> BITS < left ? 1 : 0;
  }
}

hg_status hg_alone_step(hg_trainer *trainer, int epoch, hg_phases *phases)
{
  const hg_plan plan = {.epoch = epoch, .learning_rate = trainer->config->train.learning_rate, .sync = HG_SYNC_LOCAL};
  hg_phases_start(phases);
  return hg_trainer_step(trainer, trainer->config->seed, &plan, NULL, phases).status;
}
