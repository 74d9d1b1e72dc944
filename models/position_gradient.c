#include "models/position_gradient.h"

#include <string.h>

hg_status hg_position_gradient_check(const hg_model *model)
{
  if (!model->layers[0].type->needs_positions)
    return hg_fail(HG_ERR_INPUT, "model.type: %s does not see positions, so there is no gradient of them",
                   model->options.type);
  if (model->n_stages > 1)
    return hg_fail(HG_ERR_INPUT, "gradients of positions are for tasks on nodes, found one on whole graphs");
  return HG_OK;
}

static hg_status add_halo(const hg_local_graph *g, hg_matrix *d_positions)
{
  hg_exchange *exchange = NULL;
  if (!g->links) return HG_OK;
  hg_status rc = HG_OK;
  HG_TRY(hg_exchange_create(&exchange, g->world, g->links, HG_ADD_HALO, d_positions, 0));
  hg_exchange_begin(exchange);
  hg_exchange_end(exchange);
done:
  hg_exchange_free(&exchange);
  return rc;
}

// room for what is found of the positions of rows for other ranks
static hg_status make_room(hg_model *model)
{
  hg_status rc = HG_OK;
  for (hg_layer *l = model->layers; l < model->layers + model->n_layers && rc == HG_OK; l++)
    if (l->partial) rc = hg_partial_rows_place(l->partial);
  return rc;
}

static hg_status add_partial(hg_model *model, hg_real *d_positions)
{
  hg_status rc = HG_OK;
  for (hg_layer *l = model->layers; l < model->layers + model->n_layers && rc == HG_OK; l++)
    if (l->partial) rc = hg_partial_rows_add_places(l->partial, d_positions);
  return rc;
}

hg_status hg_position_gradient(hg_model *model, const hg_pass *pass, hg_matrix *d_positions)
{
  hg_status rc = hg_position_gradient_check(model);
  if (rc != HG_OK) return rc;
  const hg_local_graph *g = &model->stages[0].graph;
  hg_pass with_positions = *pass;
  with_positions.d_positions = d_positions->data;
  memset(d_positions->data, 0, (size_t)(d_positions->rows * d_positions->cols) * sizeof *d_positions->data);
  HG_TRY_ALL(g->world, "allocating the gradient of positions", make_room(model));
  hg_model_backward(model, &with_positions, NULL);
  HG_TRY(add_halo(g, d_positions));
  HG_TRY(add_partial(model, d_positions->data));
  for (hg_off e = 0; e < (hg_off)g->n_owned * d_positions->cols; e++)
    d_positions->data[e] = (hg_real)((double)d_positions->data[e] * g->position_scale);
done:
  return rc;
}
