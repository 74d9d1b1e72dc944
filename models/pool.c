#include "models/pool.h"

static hg_dropout dropout_between(const hg_layer *finer, const hg_layer *coarser, const hg_pass *pass)
{
  return (hg_dropout){pass->seed, pass->epoch, coarser->index, pass->training ? finer->next_dropout : 0};
}

void hg_pools_forward(hg_pool *pools, hg_layer *finer, const hg_layer *coarser, const hg_pass *pass)
{
  const hg_matrix *x = &finer->h;
  hg_dropout_apply(dropout_between(finer, coarser, pass), finer->graph->ids, &finer->h);
  for (hg_pool *p = pools + finer->stage; p < pools + coarser->stage; p++) {
    hg_segment_reduce(p->reduction, p->members, x, &p->rows);
    x = &p->rows;
  }
  hg_phases_lap(pass->phases, HG_PHASE_ELEMENTWISE);
}

void hg_pools_backward(const hg_pool *pools, const hg_layer *finer, const hg_layer *coarser, const hg_pass *pass)
{
  int buffer = !coarser->gradient;
  hg_matrix d = hg_matrix_view(finer->work->gradients[buffer], coarser->graph->n_owned, coarser->f_in);
  for (int s = coarser->stage - 1; s >= finer->stage; s--) {
    const hg_matrix *x = s > finer->stage ? &pools[s - 1].rows : &finer->h;
    hg_matrix d_x = hg_matrix_view(finer->work->gradients[buffer = !buffer], x->rows, x->cols);
    hg_segment_reduce_gradient(pools[s].reduction, pools[s].members, x, &pools[s].rows, &d, &d_x);
    d = d_x;
  }
  hg_dropout_apply(dropout_between(finer, coarser, pass), finer->graph->ids, &d);
  hg_phases_lap(pass->phases, HG_PHASE_ELEMENTWISE);
}
