#include "bench/problem.h"

#include "core/base/alloc.h"
#include "core/tensor/epilogue.h"
#include "core/tensor/gemm.h"

static const char what[] = "arrays of the benchmark";

static int widest(const hg_problem *p) { return p->f_in > p->f_out ? p->f_in : p->f_out; }

// HG_PROBLEM_ENTRIES in each row, spread over all columns; no order of them that repeats soon
static hg_status create_features(hg_problem *p)
{
  hg_status rc = HG_OK;
  HG_TRY(hg_csr_create(&p->features, p->n, p->f_in, p->n * HG_PROBLEM_ENTRIES, true, what));
  hg_off step = p->f_in / HG_PROBLEM_ENTRIES;
  for (hg_off i = 0; i < p->n; i++) {
    p->features.indptr[i + 1] = p->features.indptr[i] + HG_PROBLEM_ENTRIES;
    for (hg_off k = 0; k < HG_PROBLEM_ENTRIES; k++) {
      hg_off e = i * HG_PROBLEM_ENTRIES + k;
      p->features.indices[e] = (hg_lid)(k * step + (i * 7919 + k * 104729) % step);
      p->features.values[e] = (hg_real)((double)(e % 7) / 4 - 0.5);
    }
  }
  HG_TRY(hg_csr_create(&p->kept, p->n, p->f_in, p->n * HG_PROBLEM_ENTRIES, true, what));
  HG_TRY(hg_csr_transpose(&p->transposed, &p->features));
done:
  return rc;
}

static hg_status allocate_small(hg_problem *p)
{
  hg_real **vectors[] = {&p->gamma, &p->beta, &p->mean, &p->d_gamma, &p->d_beta};
  hg_status rc = HG_OK;
  for (size_t v = 0; v < sizeof vectors / sizeof *vectors; v++) HG_TRY(HG_ALLOC(*vectors[v], widest(p), what));
  HG_TRY(HG_ALLOC(p->sums, 2 * widest(p), what));
  HG_TRY(HG_ALLOC(p->scale, p->n, what));
  HG_TRY(HG_ALLOC(p->ids, p->n, what));
  HG_TRY(HG_ALLOC(p->rows, p->n, what));
  if (p->needs & HG_PROBLEM_TRUTH) {
    HG_TRY(HG_ALLOC(p->labels, p->n, what));
    HG_TRY(HG_ALLOC(p->label_bits, p->n * ((p->f_in + 7) / 8), what));
    HG_TRY(HG_ALLOC(p->targets, p->n * p->f_in, what));
  }
done:
  return rc;
}

static hg_status allocate(hg_problem *p)
{
  hg_status rc = HG_OK;
  HG_TRY(allocate_small(p));
  if (p->f_out) HG_TRY(hg_matrix_create(&p->w, p->f_in, p->f_out, what));
  if (p->needs & HG_PROBLEM_X) HG_TRY(hg_matrix_create(&p->x, p->n, p->f_in, what));
  if (p->needs & HG_PROBLEM_Y) HG_TRY(hg_matrix_create(&p->y, p->n, p->f_out ? p->f_out : p->f_in, what));
  if (p->needs & HG_PROBLEM_SPARSE) HG_TRY(create_features(p));
  if (p->needs & HG_PROBLEM_NONZERO) {
    uint8_t *data;
    HG_TRY(HG_ALLOC(data, (hg_off)hg_nonzero_matrix_bytes(p->n, p->f_in), what));
    p->nonzero = hg_nonzero_matrix_of(data, p->n, p->f_in, 1.0 / HG_PROBLEM_LEFT);
  }
  if (p->needs & HG_PROBLEM_ROUNDED) HG_TRY(hg_bf16_matrix_create(&p->rounded, p->n, p->f_in, what));
  if (p->needs & HG_PROBLEM_SCRATCH) HG_TRY(HG_ALLOC(p->scratch, hg_gemm_at_scratch(p->n, p->f_in, p->f_out), what));
done:
  return rc;
}

static void fill_matrix(hg_matrix *m)
{
#pragma omp parallel for schedule(static)
  for (hg_off e = 0; e < m->rows * m->cols; e++) m->data[e] = (hg_real)((double)(e * 7919 % 2001) / 1000 - 1);
}

static void fill_truth(hg_problem *p)
{
  for (hg_off i = 0; i < p->n; i++) p->labels[i] = (int32_t)(i % p->f_in);
  for (hg_off e = 0; e < p->n * ((p->f_in + 7) / 8); e++) p->label_bits[e] = (uint8_t)(e * 41);
  for (hg_off e = 0; e < p->n * p->f_in; e++) p->targets[e] = (float)(e % 5);
}

hg_status hg_problem_create(hg_problem *problem)
{
  hg_problem *p = problem;
  hg_status rc = allocate(p);
  if (rc != HG_OK) {
    hg_problem_free(p);
    return rc;
  }
  fill_matrix(&p->x);
  fill_matrix(&p->y);
  fill_matrix(&p->w);
  for (int k = 0; k < widest(p); k++) p->gamma[k] = 1;
  for (hg_off i = 0; i < p->n; i++) {
    p->scale[i] = (hg_real)0.25;
    p->ids[i] = i;
    p->rows[i] = (hg_lid)i;
  }
  if (p->needs & HG_PROBLEM_TRUTH) fill_truth(p);
  if (p->needs & HG_PROBLEM_NONZERO) {
    hg_activate(HG_ACTIVATION_RELU, &p->x);
    hg_dropout_apply((hg_dropout){.seed = 1, .rate = 0.5}, p->ids, &p->x);
    hg_nonzero_matrix_close(&p->nonzero, 0, &p->x);
  }
  if (p->needs & HG_PROBLEM_ROUNDED) hg_bf16_round(&p->x, &p->rounded);
  return HG_OK;
}

void hg_problem_free(hg_problem *problem)
{
  hg_problem *p = problem;
  hg_matrix_free(&p->x), hg_matrix_free(&p->y), hg_matrix_free(&p->w), hg_bf16_matrix_free(&p->rounded);
  hg_csr_free(&p->features), hg_csr_free(&p->transposed), hg_csr_free(&p->kept);
  hg_real **vectors[] = {&p->gamma, &p->beta, &p->mean, &p->d_gamma, &p->d_beta, &p->scratch, &p->scale};
  for (size_t v = 0; v < sizeof vectors / sizeof *vectors; v++) hg_free(vectors[v]);
  hg_free(&p->sums), hg_free(&p->ids), hg_free(&p->rows), hg_free(&p->nonzero.data);
  hg_free(&p->labels), hg_free(&p->label_bits), hg_free(&p->targets);
}
