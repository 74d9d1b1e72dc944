#include "models/input.h"

#include <string.h>

#include "core/base/alloc.h"

static hg_status copy_dense(hg_input *input, const hg_local_graph *graph)
{
  const hg_features *f = &graph->part->nodes.features;
  hg_status rc = hg_matrix_create(&input->dense, graph->n_local, f->width, "input features");
  if (rc != HG_OK) return rc;
  for (hg_off e = 0; e < (hg_off)graph->n_owned * f->width; e++) input->dense.data[e] = (hg_real)f->dense[e];
  return HG_OK;
}

static hg_status create_dense(hg_input *input, const hg_local_graph *graph)
{
  hg_exchange *exchange = NULL;
  hg_status rc = HG_OK;
  HG_TRY_ALL(graph->world, "loading features", copy_dense(input, graph));
  HG_TRY(hg_exchange_create(&exchange, graph->world, graph->links, HG_FILL_HALO, &input->dense, 0));
  hg_exchange_begin(exchange);
  hg_exchange_end(exchange);
done:
  hg_exchange_free(&exchange);
  return rc;
}

static hg_status copy_sparse(hg_input *input, const hg_local_graph *graph)
{
  const hg_features *f = &graph->part->nodes.features;
  hg_off entries = f->indptr[graph->n_owned];
  hg_status rc = hg_csr_create(&input->sparse, graph->n_owned, f->width, entries, true, "input features");
  if (rc != HG_OK) return rc;
  memcpy(input->sparse.indptr, f->indptr, (size_t)(graph->n_owned + 1) * sizeof *f->indptr);
  for (hg_off e = 0; e < entries; e++) {
    input->sparse.indices[e] = f->indices[e];
    input->sparse.values[e] = (hg_real)f->values[e];
  }
  return HG_OK;
}

static hg_status transpose_sparse(hg_input *input)
{
  hg_status rc = hg_csr_transpose(&input->transposed, &input->sparse, &input->order);
  if (rc != HG_OK) return rc;
  return HG_ALLOC(input->dropped, hg_csr_entries(&input->sparse), "features under dropout");
}

static hg_status create_sparse(hg_input *input, const hg_local_graph *graph)
{
  hg_status rc = HG_OK;
  HG_TRY_ALL(graph->world, "loading features", copy_sparse(input, graph));
  HG_TRY(hg_exchange_csr_rows(graph->world, graph->links, &input->sparse));
  HG_TRY_ALL(graph->world, "loading features", transpose_sparse(input));
  hg_input_drop(input, graph, (hg_dropout){0});
done:
  return rc;
}

hg_status hg_input_create(hg_input *input, const hg_local_graph *graph)
{
  memset(input, 0, sizeof *input);
  const hg_features *features = &graph->part->nodes.features;
  input->width = features->width;
  input->is_dense = !features->indptr;
  hg_status rc = HG_OK;
  if (features->width < 1)
    return hg_agree(graph->world, hg_fail(HG_ERR_INPUT, "the graph has no node features, a model needs some"),
                    "loading features");
  rc = input->is_dense ? create_dense(input, graph) : create_sparse(input, graph);
  if (rc != HG_OK) hg_input_free(input);
  return rc;
}

hg_input hg_input_view(const hg_matrix *x)
{
  return (hg_input){.width = x->cols, .is_dense = true, .varies = true, .dense = *x};
}

void hg_input_free(hg_input *input)
{
  hg_matrix_free(&input->dense);
  hg_csr_free(&input->sparse);
  hg_csr_free(&input->transposed);
  hg_free(&input->order);
  hg_free(&input->dropped);
}

void hg_input_drop(hg_input *input, const hg_local_graph *graph, hg_dropout dropout)
{
  hg_off entries = hg_csr_entries(&input->sparse);
  if (dropout.rate > 0)
    hg_dropout_apply_csr(dropout, graph->ids, &input->sparse, input->dropped);
  else
    memcpy(input->dropped, input->sparse.values, (size_t)entries * sizeof *input->dropped);
#pragma omp parallel for schedule(static)
  for (hg_off e = 0; e < entries; e++) input->transposed.values[e] = input->dropped[input->order[e]];
}
