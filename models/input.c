#include "models/input.h"

#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"

static hg_status copy_dense(hg_input *input, const hg_local_graph *graph, hg_features *f)
{
  if (sizeof(hg_real) == sizeof *f->dense) {
    input->dense = hg_matrix_view((hg_real *)(void *)f->dense, graph->n_owned, f->width);
    f->dense = NULL;
    return HG_OK;
  }
  hg_status rc = hg_matrix_create(&input->dense, graph->n_owned, f->width, "input features");
  if (rc != HG_OK) return rc;
  for (hg_off e = 0; e < (hg_off)graph->n_owned * f->width; e++) input->dense.data[e] = (hg_real)f->dense[e];
  return HG_OK;
}

static hg_status make_room(hg_input *input, hg_off n_local)
{
  hg_matrix dense, *owned = &input->dense;
  hg_status rc = hg_matrix_create(&dense, n_local, owned->cols, "input features");
  if (rc != HG_OK) return rc;
  if (owned->rows > 0) memcpy(dense.data, owned->data, (size_t)(owned->rows * owned->cols) * sizeof *dense.data);
  hg_matrix_free(owned);
  *owned = dense;
  return HG_OK;
}

hg_status hg_input_fetch_halo(hg_input *input, const hg_local_graph *graph)
{
  hg_exchange *exchange = NULL;
  hg_status rc = HG_OK;
  double missing = input->is_dense && input->dense.rows < graph->n_local;
  hg_sum_doubles(graph->world, &missing, 1);
  if (missing == 0) return HG_OK;
  HG_TRY_ALL(graph->world, "loading features", make_room(input, graph->n_local));
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
  hg_status rc = hg_csr_create(&input->all, graph->n_owned, f->width, entries, true, "input features");
  if (rc != HG_OK) return rc;
  memcpy(input->all.indptr, f->indptr, (size_t)(graph->n_owned + 1) * sizeof *f->indptr);
  for (hg_off e = 0; e < entries; e++) {
    input->all.indices[e] = f->indices[e];
    input->all.values[e] = (hg_real)f->values[e];
  }
  return HG_OK;
}

static hg_status prepare_dropout(hg_input *input)
{
  const hg_csr *all = &input->all;
  hg_off entries = hg_csr_entries(all);
  hg_status rc = HG_OK;
  HG_TRY(hg_csr_create(&input->kept, all->n_rows, all->n_cols, entries, true, "features under dropout"));
  HG_TRY(hg_csr_create(&input->transposed, all->n_cols, all->n_rows, entries, true, "transposed features"));
  HG_TRY(HG_ALLOC(input->places, HG_TRANSPOSE_PIECES * all->n_cols, "places of transposed features"));
  hg_csr_transpose_into(&input->transposed, all, input->places);
done:
  return rc;
}

static hg_status create_sparse(hg_input *input, const hg_local_graph *graph)
{
  hg_status rc = HG_OK;
  HG_TRY_ALL(graph->world, "loading features", copy_sparse(input, graph));
  if (graph->links) HG_TRY(hg_exchange_csr_rows(graph->world, graph->links, &input->all));
  HG_TRY_ALL(graph->world, "loading features", prepare_dropout(input));
  input->sparse = input->all;
done:
  return rc;
}

hg_status hg_input_create(hg_input *input, const hg_local_graph *graph, hg_features *features)
{
  memset(input, 0, sizeof *input);
  input->width = features->width;
  input->is_dense = !features->indptr;
  hg_status rc = HG_OK;
  if (features->width < 1)
    return hg_agree(graph->world, hg_fail(HG_ERR_INPUT, "the graph has no node features, a model needs some"),
                    "loading features");
  if (input->is_dense)
    rc = hg_agree(graph->world, copy_dense(input, graph, features), "loading features");
  else
    rc = create_sparse(input, graph);
  if (rc != HG_OK)
    hg_input_free(input);
  else
    hg_features_free(features);
  return rc;
}

static hg_status take_dense(hg_input *input, const hg_part *part, const hg_features *f)
{
  hg_lid n = part->n_owned + part->n_halo;
  hg_status rc = hg_matrix_create(&input->dense, n, f->width, "input features");
  if (rc != HG_OK) return rc;
  for (hg_lid i = 0; i < n; i++) {
    const float *row = f->dense + hg_part_global(part, i) * f->width;
    hg_real *out = input->dense.data + (hg_off)i * f->width;
    for (int k = 0; k < f->width; k++) out[k] = (hg_real)row[k];
  }
  return HG_OK;
}

static hg_status take_sparse(hg_input *input, const hg_part *part, const hg_features *f)
{
  hg_lid n = part->n_owned + part->n_halo;
  hg_off entries = 0;
  for (hg_lid i = 0; i < n; i++) {
    hg_gid id = hg_part_global(part, i);
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): sparse features have pointers
    entries += f->indptr[id + 1] - f->indptr[id];
  }
  hg_csr *all = &input->all;
  hg_status rc = hg_csr_create(all, n, f->width, entries, true, "input features");
  if (rc != HG_OK) return rc;
  for (hg_lid i = 0; i < n; i++) {
    hg_gid id = hg_part_global(part, i);
    hg_off first = f->indptr[id], count = f->indptr[id + 1] - first, at = all->indptr[i];
    for (hg_off e = 0; e < count; e++) {
      all->indices[at + e] = f->indices[first + e];
      all->values[at + e] = (hg_real)f->values[first + e];
    }
    all->indptr[i + 1] = at + count;
  }
  rc = prepare_dropout(input);
  input->sparse = *all;
  return rc;
}

hg_status hg_input_create_alone(hg_input *input, const hg_part *part, const hg_features *whole)
{
  *input = (hg_input){.width = whole->width, .is_dense = !whole->indptr};
  hg_status rc = input->is_dense ? take_dense(input, part, whole) : take_sparse(input, part, whole);
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
  hg_csr_free(&input->all);
  hg_csr_free(&input->some);
  hg_csr_free(&input->kept);
  hg_csr_free(&input->transposed);
  hg_free(&input->places);
}

void hg_input_drop(hg_input *input, const hg_local_graph *graph, hg_dropout dropout, bool training)
{
  input->sparse = training && input->some.indptr ? input->some : input->all;
  if (dropout.rate > 0) {
    const hg_csr from = input->sparse;
    hg_dropout_keep_csr(dropout, graph->ids, &from, &input->kept);
    hg_csr_transpose_into(&input->transposed, &input->kept, input->places);
    input->sparse = input->kept;
  }
}

static void copy_marked(hg_csr *out, const hg_csr *all, const uint8_t *marks)
{
  for (hg_off i = 0; i < all->n_rows; i++) {
    hg_off first = all->indptr[i], n = marks[i] ? all->indptr[i + 1] - first : 0, at = out->indptr[i];
    if (n > 0) {
      memcpy(out->indices + at, all->indices + first, (size_t)n * sizeof *out->indices);
      memcpy(out->values + at, all->values + first, (size_t)n * sizeof *out->values);
    }
    out->indptr[i + 1] = at + n;
  }
}

hg_status hg_input_activate(hg_input *input, const uint8_t *marks)
{
  const hg_csr *all = &input->all;
  hg_off entries = 0;
  for (hg_off i = 0; i < all->n_rows; i++)
    if (marks[i]) entries += all->indptr[i + 1] - all->indptr[i];
  hg_status rc = hg_csr_create(&input->some, all->n_rows, all->n_cols, entries, true, "active input features");
  if (rc != HG_OK) return rc;
  copy_marked(&input->some, all, marks);
  hg_csr_transpose_into(&input->transposed, &input->some, input->places);
  return HG_OK;
}
