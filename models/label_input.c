#include "models/label_input.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/threads.h"

static hg_status allocate(hg_label_input *l, const hg_local_graph *g, int classes, int width)
{
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(l->labels, g->n_local, "labels as inputs"));
  HG_TRY(HG_ALLOC(l->shown, g->n_local, "labels as inputs"));
  HG_TRY(hg_matrix_create(&l->sums, g->n_owned, classes, "sums of labels"));
  HG_TRY(HG_ALLOC(l->packed, hg_panel_space(classes, width), "packed label weights"));
done:
  return rc;
}

size_t hg_label_input_bytes(hg_lid n_owned, hg_lid n_local, int classes, int width)
{
  hg_off numbers = (hg_off)n_owned * classes + hg_panel_space(classes, width);
  return (size_t)n_local * (sizeof(int32_t) + 1) + (size_t)numbers * sizeof(hg_real);
}

// the halo's labels come from their owners, once
static hg_status fetch(hg_label_input *l)
{
  const hg_local_graph *g = l->graph;
  hg_exchange *exchange = NULL;
  hg_matrix labels = {0};
  hg_status rc = HG_OK;
  HG_TRY_ALL(g->world, "loading labels", hg_matrix_create(&labels, g->n_local, 1, "labels"));
  for (hg_lid i = 0; i < g->n_owned; i++) labels.data[i] = (hg_real)l->labels[i];
  HG_TRY(hg_exchange_create(&exchange, g->world, g->links, HG_FILL_HALO, &labels, 0));
  hg_exchange_begin(exchange);
  hg_exchange_end(exchange);
  for (hg_lid i = g->n_owned; i < g->n_local; i++) l->labels[i] = (int32_t)labels.data[i];
done:
  hg_exchange_free(&exchange);
  hg_matrix_free(&labels);
  return rc;
}

hg_status hg_label_input_create(hg_label_input *input, const hg_local_graph *graph, const int32_t *labels,
                                const hg_lid *rows, hg_off n, int classes, int width, double rate)
{
  hg_status rc = HG_OK;
  *input = (hg_label_input){.graph = graph, .rate = rate};
  HG_TRY_ALL(graph->world, "loading labels", allocate(input, graph, classes, width));
  for (hg_lid i = 0; i < graph->n_local; i++) input->labels[i] = -1;
  for (hg_off r = 0; r < n; r++) input->labels[rows[r]] = labels[rows[r]];
  HG_TRY(fetch(input));
done:
  if (rc != HG_OK) hg_label_input_free(input);
  return rc;
}

void hg_label_input_free(hg_label_input *input)
{
  hg_free(&input->labels);
  hg_free(&input->shown);
  hg_matrix_free(&input->sums);
  hg_free(&input->packed);
}

void hg_label_input_draw(hg_label_input *input, uint64_t seed, int epoch)
{
  const hg_local_graph *g = input->graph;
  const hg_rng rng = {seed, HG_STREAM_LABELS | (uint32_t)epoch << 8};
  hg_lid n = g->n_local;
#pragma omp parallel for schedule(static) default(none) shared(input, g, rng, n) num_threads(hg_threads()) if (n > 4096)
  for (hg_lid i = 0; i < n; i++)
    input->shown[i] = input->labels[i] >= 0 && hg_rng_uniform(rng, (uint64_t)g->ids[i], 0) < input->rate;
}

void hg_label_input_show(hg_label_input *input, bool all)
{
  for (hg_lid i = 0; i < input->graph->n_local; i++) input->shown[i] = all && input->labels[i] >= 0;
}

hg_off hg_label_input_hidden(const hg_label_input *input, const hg_lid *rows, hg_off n, hg_lid *hidden)
{
  hg_off count = 0;
  for (hg_off r = 0; r < n; r++)
    if (!input->shown[rows[r]]) hidden[count++] = rows[r];
  return count;
}

static void add_label(const hg_label_input *l, hg_lid j, hg_real *sums)
{
  const hg_operator *op = &l->graph->forward;
  if (l->shown[j]) sums[l->labels[j]] += op->col_scale ? op->col_scale[j] : 1;
}

void hg_label_input_sum(hg_label_input *input, const hg_matrix *e)
{
  const hg_operator *op = &input->graph->forward;
  hg_matrix *sums = &input->sums;
  hg_lid n = input->graph->n_owned;
  input->embedding = hg_right_side_of(e, false, input->packed);
#pragma omp parallel for schedule(guided) default(none) shared(input, op, sums, n) \
    num_threads(hg_threads()) if (n > 1024)
  for (hg_lid i = 0; i < n; i++) {
    hg_real *row = sums->data + (hg_off)i * sums->cols;
    memset(row, 0, (size_t)sums->cols * sizeof *row);
    for (hg_off k = op->a->indptr[i]; k < op->a->indptr[i + 1]; k++) add_label(input, op->a->indices[k], row);
    if (i < op->n_self) add_label(input, i, row);
    for (int c = 0; op->row_scale && c < sums->cols; c++) row[c] *= op->row_scale[i];
  }
}

void hg_label_input_add(const hg_label_input *input, hg_off first, hg_off n, hg_matrix *z)
{
  const hg_matrix rows = hg_matrix_rows(&input->sums, first, n);
  hg_gemm_block(&rows, &input->embedding, 1, z);
}
