#include "tests/mpi/batch_model.h"

#include <math.h>
#include <string.h>

#include "comm/reduce.h"
#include "runtime/config/config.h"
#include "tests/support/mpi_case.h"
#include "tests/support/sample_collection.h"

enum { MOST_STAGES = 8 };

static bool choose_options(hg_model_options *options, const char *const *changes)
{
  hg_config config = hg_config_default();
  const char *const first[] = {"dataset.path=none", "model.hidden=5", "model.dropout=0", "model.filters=3",
                               "model.normalize_positions=none"};
  for (int k = 0; k < 5; k++) check_ok(hg_config_override(&config, first[k]));
  for (; *changes; changes++) check_ok(hg_config_override(&config, *changes));
  bool ok = check_ok(hg_config_resolve(&config));
  *options = config.model;
  return ok;
}

bool batch_model_create(batch_model *m, hg_world *world, hg_off n_graphs, const char *const *changes)
{
  hg_collection collection;
  memset(m, 0, sizeof *m);
  if (!check_ok(sample_collection(&collection, n_graphs, BATCH_MODEL_WIDTH, 2, HG_TASK_CLASSES, 3, 5))) return false;
  return batch_model_create_on(m, world, &collection, changes);
}

bool batch_model_create_on(batch_model *m, hg_world *world, hg_collection *collection, const char *const *changes)
{
  memset(m, 0, sizeof *m);
  m->world = world;
  m->collection = *collection;
  hg_phases_start(&m->phases);
  if (!choose_options(&m->options, changes)) return false;
  const hg_model_options *o = &m->options;
  if (!check_ok(hg_hierarchy_create(&m->hierarchy, &m->collection, hg_model_coarsenings(o), o->pooling_weight, 2)))
    return false;
  m->source = (hg_batch_source){world, &m->collection, &m->hierarchy, o->normalization, o->self_loops};
  if (!check_ok(hg_batch_room_create(&m->room, &m->hierarchy, m->collection.n_graphs)) ||
      !check_ok(hg_batch_create(&m->batch, &m->source, &m->room)))
    return false;
  m->input = hg_input_view(&m->batch.x);
  if (!check_ok(hg_model_create(&m->model, o, m->batch.stages, m->batch.n_stages, &m->input, BATCH_MODEL_OUTPUTS)))
    return false;
  hg_model_init(&m->model, 9);
  for (hg_off k = 0; k < m->model.n_parameters; k++) // biases off zero, so that no activation sits on its kink
    m->model.parameters[k] += (hg_real)(0.05 * sin(1.0 + 3.0 * (double)k));
  return true;
}

void batch_model_free(batch_model *m)
{
  hg_model_free(&m->model);
  hg_batch_free(&m->batch);
  hg_batch_room_free(&m->room);
  hg_hierarchy_free(&m->hierarchy);
  hg_collection_free(&m->collection);
}

void batch_model_fill(batch_model *m, const hg_off *graphs, hg_off n)
{
  hg_off mine[64], n_mine = 0, n_global[MOST_STAGES] = {0};
  for (hg_off b = 0; b < n; b++) {
    if (b % hg_world_size(m->world) == hg_world_rank(m->world)) mine[n_mine++] = graphs[b];
    for (int l = 0; l < m->hierarchy.n_levels; l++) {
      const hg_off *ptr = m->hierarchy.levels[l].graph_ptr;
      n_global[l] += ptr[graphs[b] + 1] - ptr[graphs[b]];
    }
  }
  n_global[m->hierarchy.n_levels] = n;
  hg_batch_fill(&m->batch, &m->source, mine, n_mine, n_global);
  m->input = hg_input_view(&m->batch.x);
  hg_model_bind(&m->model, m->batch.stages, &m->input);
}

static hg_pass pass_of(batch_model *m, bool training)
{
  return (hg_pass){.training = training, .seed = 3, .epoch = 2, .phases = &m->phases};
}

hg_matrix batch_model_forward(batch_model *m, bool training)
{
  const hg_pass pass = pass_of(m, training);
  return hg_model_forward(&m->model, &pass);
}

static double factor(const batch_model *m, hg_off row, int c)
{
  return sin((double)(7 * m->batch.graphs[row] + 2 * c + 1));
}

double batch_model_value(batch_model *m)
{
  hg_matrix z = batch_model_forward(m, true);
  double sum = 0;
  for (hg_off i = 0; i < z.rows; i++)
    for (int c = 0; c < z.cols; c++) sum += factor(m, i, c) * (double)z.data[i * z.cols + c];
  hg_sum_doubles(m->world, &sum, 1);
  return sum;
}

void batch_model_gradient(batch_model *m)
{
  const hg_pass pass = pass_of(m, true);
  batch_model_forward(m, true);
  hg_matrix d = hg_model_d_logits(&m->model);
  for (hg_off i = 0; i < d.rows; i++)
    for (int c = 0; c < d.cols; c++) d.data[i * d.cols + c] = (hg_real)factor(m, i, c);
  hg_model_backward(&m->model, &pass, NULL);
  hg_sum_reals(m->world, m->model.gradients, m->model.n_parameters);
}
