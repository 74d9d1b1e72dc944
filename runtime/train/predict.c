#include "runtime/train/predict.h"

#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "runtime/train/feed.h"
#include "runtime/train/loss_gradient.h"

static hg_status read_best(const hg_config *config, int repeat, hg_checkpoint *best, hg_trained *trained)
{
  char path[HG_PATH_MAX];
  hg_checkpoint_best_path(config->output, repeat, path);
  hg_status rc = hg_checkpoint_read(best, path);
  if (rc == HG_OK) *trained = (hg_trained){best->task, hg_checkpoint_outputs(best), best->dataset, &best->scales};
  if (rc == HG_OK && (trained->n_outputs == 0 || best->task < HG_TASK_CLASSES || best->task > HG_TASK_REGRESSION))
    rc = hg_fail(HG_ERR_INPUT, "%s: found no task and outputs of a trained model", path);
  return rc;
}

static hg_status restore(hg_trainer *t, const hg_checkpoint *best)
{
  hg_checkpoint expected = {0};
  hg_status rc = HG_OK;
  HG_TRY(hg_checkpoint_create(&expected, &t->model, t->optimizer.type->n_moments * t->model.n_parameters, 1));
  HG_TRY(hg_context(hg_checkpoint_match(best, &expected, t->config->output), "dataset.path: %s does not fit",
                    t->config->dataset.path));
  hg_trainer_restore(t, best);
done:
  hg_checkpoint_free(&expected);
  return rc;
}

// this rank's rows as float32, gathered on rank 0
static hg_status gather_rows(hg_world *world, const hg_matrix *m, float **all)
{
  float *mine = NULL;
  size_t *offsets = NULL;
  hg_off count = m->rows * m->cols;
  hg_status rc = HG_OK;
  HG_TRY_ALL(world, "gathering predictions", HG_ALLOC(mine, count, "predictions"));
  for (hg_off e = 0; e < count; e++) mine[e] = (float)m->data[e];
  rc = hg_gather(world, mine, (size_t)count * sizeof *mine, (void **)all, &offsets);
done:
  hg_free(&mine);
  hg_free(&offsets);
  return rc;
}

// logits become probabilities, scaled targets become values; in place
static void finish_outputs(const hg_trainer *t, hg_matrix *z)
{
  hg_loss_predict(t->loss.kind, z, z);
  if (t->loss.kind != HG_LOSS_MSE) return;
  for (hg_off e = 0; e < z->rows * z->cols; e++) {
    hg_off c = e % z->cols;
    z->data[e] = (hg_real)((double)z->data[e] * t->labelled.target_scale[c] + t->labelled.target_mean[c]);
  }
}

static hg_status gather_all(hg_trainer *t, hg_predictions *p)
{
  size_t *offsets = NULL;
  hg_status rc = HG_OK;
  hg_outputs out = t->type->outputs(t, true);
  HG_TRY(gather_rows(t->world, &out.embeddings, &p->embeddings)); // first: with one layer they are the outputs
  finish_outputs(t, &out.logits);
  HG_TRY(gather_rows(t->world, &out.logits, &p->outputs));
  HG_TRY(hg_gather(t->world, t->labelled.original_ids, (size_t)t->labelled.n_items * sizeof(int64_t),
                   (void **)&p->original_ids, &offsets));
  p->item = t->type->item;
  p->task = t->labelled.task;
  p->n = t->facts.n_items;
  p->n_classes = out.logits.cols;
  p->n_embedding = out.embeddings.cols;
done:
  hg_free(&offsets);
  return rc;
}

static hg_status gather_position_gradients(hg_trainer *t, hg_predictions *p)
{
  hg_matrix d_positions = {0};
  hg_status rc = HG_OK;
  HG_TRY(hg_trainer_position_gradient(t, &d_positions));
  hg_matrix owned = hg_matrix_rows(&d_positions, 0, t->labelled.n_items);
  HG_TRY(gather_rows(t->world, &owned, &p->position_gradients));
  p->n_dims = owned.cols;
done:
  hg_matrix_free(&d_positions);
  return rc;
}

hg_status hg_predict(hg_world *world, const hg_config *config, int repeat, bool position_gradients,
                     hg_predictions *predictions)
{
  memset(predictions, 0, sizeof *predictions);
  hg_trainer trainer = {0};
  hg_checkpoint best = {0};
  hg_config own = *config;
  hg_trained trained;
  hg_status rc = HG_OK;
  own.model.recompute = false; // embeddings are hidden rows that it does not store
  own.model.embeds = true;
  own.model.halo.compute_first = HG_COMPUTE_FIRST_NEVER; // for one pass aggregates would cross that are wider
  HG_TRY_ALL(world, "loading the weights", read_best(config, repeat, &best, &trained));
  HG_TRY(hg_trainer_create_trained(&trainer, world, &own, &trained));
  HG_TRY_ALL(world, "loading the weights", restore(&trainer, &best));
  if (position_gradients) HG_TRY(gather_position_gradients(&trainer, predictions));
  HG_TRY(gather_all(&trainer, predictions));
  HG_TRY_ALL(world, "sorting predictions", hg_world_rank(world) == 0 ? hg_predictions_sort(predictions) : HG_OK);
done:
  hg_checkpoint_free(&best);
  hg_trainer_free(&trainer);
  return rc;
}
