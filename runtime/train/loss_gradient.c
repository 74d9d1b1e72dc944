#include "runtime/train/loss_gradient.h"

#include <stdlib.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "models/position_gradient.h"

static int ascending(const void *a, const void *b)
{
  hg_lid x = *(const hg_lid *)a, y = *(const hg_lid *)b;
  return (x > y) - (x < y);
}

// the labelled rows of all splits, in ascending order, and room for the gradient
static hg_status allocate(hg_trainer *t, hg_lid **rows, hg_off *n, hg_matrix *d_positions)
{
  hg_labelled *labelled = &t->labelled;
  hg_status rc = HG_OK;
  HG_TRY(hg_position_gradient_check(&t->model));
  const hg_local_graph *g = &t->model.stages[0].graph;
  HG_TRY(HG_ALLOC(*rows, labelled->n_items, "labelled nodes"));
  for (int split = 0; split < HG_SPLIT_COUNT; split++) {
    if (labelled->n_rows[split] > 0)
      memcpy(*rows + *n, labelled->rows[split], (size_t)labelled->n_rows[split] * sizeof **rows);
    *n += labelled->n_rows[split];
  }
  qsort(*rows, (size_t)*n, sizeof **rows, ascending);
  HG_TRY(hg_matrix_create(d_positions, g->n_local, g->n_dims, "gradient of positions"));
done:
  return rc;
}

hg_status hg_trainer_position_gradient(hg_trainer *t, hg_matrix *d_positions)
{
  hg_lid *rows = NULL;
  hg_off n = 0;
  hg_phases unused;
  hg_status rc = HG_OK;
  hg_phases_start(&unused);
  const hg_pass pass = {.training = false, .phases = &unused};
  memset(d_positions, 0, sizeof *d_positions);
  HG_TRY_ALL(t->world, "allocating the gradient of positions", allocate(t, &rows, &n, d_positions));
  double weight = hg_loss_weight(&t->loss, &t->labelled.truth, rows, n);
  hg_sum_doubles(t->world, &weight, 1);
  if (!(weight > 0)) {
    rc = hg_fail(HG_ERR_INPUT, "%s: found no labelled nodes, whose loss has a gradient", t->config->dataset.path);
    goto done; // all ranks
  }
  hg_matrix z = hg_model_forward(&t->model, &pass), d_z = hg_model_d_logits(&t->model);
  (void)hg_loss_compute(&t->loss, &t->labelled.truth, rows, n, &z, weight, &d_z);
  HG_TRY(hg_position_gradient(&t->model, &pass, d_positions));
done:
  hg_free(&rows);
  if (rc != HG_OK) hg_matrix_free(d_positions);
  return rc;
}
