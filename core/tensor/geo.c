#include "core/tensor/geo.h"

#include <omp.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/cpu.h"
#include "core/base/threads.h"
#include "core/tensor/geo_kernels.h"
#include "core/tensor/row_blocks.h"

static hg_geo_kernel *const kernels[HG_SIMD_COUNT] = {hg_geo_kernel_base, hg_geo_kernel_avx2, hg_geo_kernel_avx512};

static int padded(int n) { return (n + HG_GEO_UNIT - 1) / HG_GEO_UNIT * HG_GEO_UNIT; }

// Registers run over filters, or over channels where these fill them and filters do not.
static bool runs_over_channels(int channels, int filters)
{
  return filters % HG_GEO_UNIT != 0 && channels % HG_GEO_UNIT == 0;
}

int hg_geo_columns(int channels, int filters)
{
  return runs_over_channels(channels, filters) ? channels * filters : channels * padded(filters);
}

int hg_geo_piece_columns(int channels, int filters, bool shared)
{
  int columns = hg_geo_columns(channels, filters), piece = (shared ? 16 : 8) * HG_GEO_UNIT;
  return columns < piece ? columns : piece;
}

static hg_geo_order order_of(int channels, int filters, bool shared)
{
  if (runs_over_channels(channels, filters)) return HG_GEO_BY_FILTER;
  return shared ? HG_GEO_SHARED : HG_GEO_BY_CHANNEL;
}

static int gates_of(int channels, int filters, bool shared)
{
  bool once = order_of(channels, filters, shared) == HG_GEO_SHARED;
  return once ? padded(filters) : hg_geo_columns(channels, filters);
}

size_t hg_geo_bytes(int channels, int filters, int dims, bool shared)
{
  size_t gates = (size_t)gates_of(channels, filters, shared), columns = (size_t)hg_geo_columns(channels, filters);
  return gates * (size_t)(dims + 1) * (HG_ROW_BLOCKS + 1) * sizeof(hg_real) + columns / HG_GEO_UNIT * sizeof(int);
}

hg_status hg_geo_create(hg_geo *geo, int channels, int filters, int dims, bool shared)
{
  hg_status rc = HG_OK;
  memset(geo, 0, sizeof *geo);
  if (dims < 1 || dims > HG_GEO_DIMS)
    return hg_fail(HG_ERR_INTERNAL, "gates for positions of %d dimensions, expected 1 to %d", dims, HG_GEO_DIMS);
  geo->channels = channels;
  geo->filters = filters;
  geo->dims = dims;
  geo->shared = shared;
  geo->order = order_of(channels, filters, shared);
  geo->columns = hg_geo_columns(channels, filters);
  geo->gates = gates_of(channels, filters, shared);
  hg_off gates = (hg_off)(dims + 1) * geo->gates;
  HG_TRY(HG_ALLOC(geo->gate, gates, "gates"));
  HG_TRY(HG_ALLOC(geo->channel, geo->columns / HG_GEO_UNIT, "channels of columns"));
  HG_TRY(HG_ALLOC(geo->block_sums, HG_ROW_BLOCKS * gates, "gradients of gates"));
  for (int unit = 0; unit < geo->columns / HG_GEO_UNIT; unit++) {
    int column = unit * HG_GEO_UNIT;
    geo->channel[unit] = geo->order == HG_GEO_BY_CHANNEL ? column / padded(filters) : column % channels;
  }
done:
  if (rc != HG_OK) hg_geo_free(geo);
  return rc;
}

void hg_geo_free(hg_geo *geo)
{
  hg_free(&geo->gate);
  hg_free(&geo->channel);
  hg_free(&geo->block_sums);
}

// the column of a that holds channel c's filter k
static int column_of(const hg_geo *g, int c, int k)
{
  switch (g->order) {
  case HG_GEO_BY_FILTER:
    return k * g->channels + c;
  case HG_GEO_SHARED:
    return (k / HG_GEO_UNIT * g->channels + c) * HG_GEO_UNIT + k % HG_GEO_UNIT;
  default:
    return c * padded(g->filters) + k;
  }
}

// where its gate is
static int gate_of(const hg_geo *g, int c, int k) { return g->order == HG_GEO_SHARED ? k : column_of(g, c, k); }

void hg_geo_set_gates(hg_geo *geo, const hg_matrix *u, const hg_real *b)
{
  for (int c = 0; c < geo->channels; c++) {
    for (int k = 0; k < geo->filters; k++) {
      int gate = gate_of(geo, c, k), row = geo->shared ? k : c * geo->filters + k;
      for (int d = 0; d < geo->dims; d++) geo->gate[d * geo->gates + gate] = u->data[row * geo->dims + d];
      geo->gate[geo->dims * geo->gates + gate] = b[row];
    }
  }
}

static hg_geo_task task_of(const hg_geo *geo, const hg_geo_piece *piece, const hg_matrix *x, int width)
{
  const hg_operator *op = piece->op;
  const hg_csr *a = op->a;
  return (hg_geo_task){.indptr = a->indptr,
                       .indices = a->indices,
                       .values = a->values,
                       .row_scale = op->row_scale,
                       .col_scale = op->col_scale,
                       .n_self = op->n_self,
                       .geo = geo,
                       .column = piece->column,
                       .width = width,
                       .positions = piece->positions,
                       .x = x->data};
}

// rows of the operator, whose results are apart
static void run_rows(const hg_geo_task *task, hg_geo_way way, hg_off first, hg_off n)
{
  if (n <= 0) return;
  hg_geo_kernel *kernel = kernels[hg_simd_level()];
  hg_off end = first + n, work = hg_row_work(task->indptr, first, end) * task->width;
#pragma omp parallel default(none) shared(task, kernel, way, first, end) \
    num_threads(hg_threads()) if (work > HG_PARALLEL_FROM)
  {
    int parts = omp_get_num_threads(), k = omp_get_thread_num();
    hg_off start = hg_row_piece(task->indptr, first, end, parts, k);
    hg_off stop = hg_row_piece(task->indptr, first, end, parts, k + 1);
    if (start < stop) kernel(task, way, start, stop, NULL);
  }
}

void hg_geo_forward(const hg_geo *geo, const hg_geo_piece *piece, const hg_matrix *x, hg_matrix *a)
{
  hg_geo_task task = task_of(geo, piece, x, a->cols);
  task.a = a->data;
  run_rows(&task, HG_GEO_SUMS, piece->first, piece->n);
}

void hg_geo_backward_targets(const hg_geo *geo, const hg_geo_piece *piece, const hg_matrix *x, const hg_matrix *d_a,
                             hg_real *d_p)
{
  hg_geo_task task = task_of(geo, piece, x, d_a->cols);
  task.d_a = d_a->data;
  task.d_p = d_p;
  run_rows(&task, HG_GEO_TARGETS, piece->first, piece->n);
}

static void clear_rows(hg_matrix *m, hg_off first, hg_off end)
{
  memset(m->data + first * m->cols, 0, (size_t)(end - first) * (size_t)m->cols * sizeof *m->data);
}

void hg_geo_backward(hg_geo *geo, const hg_geo_piece *piece, const hg_matrix *x, const hg_matrix *d_a, hg_matrix *d_x,
                     hg_real *d_p)
{
  if (piece->n <= 0) return;
  hg_geo_task task = task_of(geo, piece, x, d_a->cols);
  task.d_a = d_a->data;
  task.d_x = d_x->data;
  task.d_p = d_p;
  hg_geo_kernel *kernel = kernels[hg_simd_level()];
  hg_off first = piece->first, end = first + piece->n, work = hg_row_work(task.indptr, first, end) * task.width;
  hg_off gates = (hg_off)(geo->dims + 1) * geo->gates;
#pragma omp parallel for schedule(dynamic) default(none) shared(task, kernel, first, end, gates, geo, d_x) \
    num_threads(hg_threads()) if (work > HG_PARALLEL_FROM)
  for (int block = 0; block < HG_ROW_BLOCKS; block++) {
    hg_off start = hg_row_piece(task.indptr, first, end, HG_ROW_BLOCKS, block);
    hg_off stop = hg_row_piece(task.indptr, first, end, HG_ROW_BLOCKS, block + 1);
    if (start >= stop) continue;
    if (d_x->data && task.column == 0) clear_rows(d_x, start, stop);
    kernel(&task, HG_GEO_GRADIENTS, start, stop, geo->block_sums + block * gates);
  }
}

// the blocks' sums in the first block's place
static void add_blocks(hg_geo *geo)
{
  enum { SOME = 256 };
  hg_off gates = (hg_off)(geo->dims + 1) * geo->gates;
  for (hg_off first = 0; first < gates; first += SOME) {
    double sums[SOME] = {0};
    hg_off n = gates - first < SOME ? gates - first : SOME;
    for (int block = 0; block < HG_ROW_BLOCKS; block++)
      for (hg_off e = 0; e < n; e++) sums[e] += (double)geo->block_sums[block * gates + first + e];
    for (hg_off e = 0; e < n; e++) geo->block_sums[first + e] = (hg_real)sums[e];
  }
}

// the gradient of number d of filter k: of channel c alone, or over all channels
static hg_real gate_gradient(const hg_geo *g, int c, int k, int d)
{
  const hg_real *sums = g->block_sums + (hg_off)d * g->gates;
  if (!g->shared || g->order == HG_GEO_SHARED) return sums[gate_of(g, c, k)];
  double sum = 0;
  for (c = 0; c < g->channels; c++) sum += (double)sums[column_of(g, c, k)];
  return (hg_real)sum;
}

void hg_geo_take_gradients(hg_geo *geo, hg_matrix *d_u, hg_real *d_b)
{
  add_blocks(geo);
  for (int c = 0; c < (geo->shared ? 1 : geo->channels); c++) {
    for (int k = 0; k < geo->filters; k++) {
      int row = c * geo->filters + k;
      for (int d = 0; d < geo->dims; d++) d_u->data[row * geo->dims + d] = gate_gradient(geo, c, k, d);
      d_b[row] = gate_gradient(geo, c, k, geo->dims);
    }
  }
  size_t gates = (size_t)(geo->dims + 1) * (size_t)geo->gates;
  memset(geo->block_sums, 0, HG_ROW_BLOCKS * gates * sizeof *geo->block_sums);
}

void hg_geo_arrange(const hg_geo *geo, const hg_matrix *w, hg_matrix *arranged)
{
  size_t width = (size_t)w->cols, row = width * sizeof *w->data;
  memset(arranged->data, 0, (size_t)geo->columns * row);
  for (int c = 0; c < geo->channels; c++)
    for (int k = 0; k < geo->filters; k++)
      memcpy(arranged->data + (size_t)column_of(geo, c, k) * width, w->data + (size_t)(c * geo->filters + k) * width,
             row);
}

void hg_geo_restore(const hg_geo *geo, const hg_matrix *arranged, hg_matrix *w)
{
  size_t width = (size_t)w->cols, row = width * sizeof *w->data;
  for (int c = 0; c < geo->channels; c++)
    for (int k = 0; k < geo->filters; k++)
      memcpy(w->data + (size_t)(c * geo->filters + k) * width, arranged->data + (size_t)column_of(geo, c, k) * width,
             row);
}
