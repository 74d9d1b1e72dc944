#include "runtime/train/edge_time.h"

#include "core/base/alloc.h"
#include "core/base/timer.h"

enum { RUNS = 3, WIDTHS = 2 };

static const int widths[WIDTHS] = {16, 64};

static double once(const hg_operator *op, hg_matrix x, hg_matrix y)
{
  double started = hg_now_s();
  hg_spmm(op, 0, y.rows, &x, &y);
  return hg_now_s() - started;
}

hg_status hg_edge_time(const hg_operator *op, hg_off rows, hg_off columns, double seconds[2])
{
  double least[WIDTHS] = {0}, edges = (double)(op->a->indptr[rows] + (op->n_self < rows ? op->n_self : rows));
  hg_matrix x = {0}, y = {0};
  hg_status rc = HG_OK;
  seconds[0] = seconds[1] = 0;
  if (edges == 0) return HG_OK;
  HG_TRY(hg_matrix_create(&x, columns, widths[WIDTHS - 1], "rows to aggregate"));
  HG_TRY(hg_matrix_create(&y, rows, widths[WIDTHS - 1], "aggregated rows"));
  for (int run = 0; run < RUNS; run++) // what the widths have in common must not drown in what disturbs one of them
    for (int w = 0; w < WIDTHS; w++) {
      double taken = once(op, hg_matrix_view(x.data, columns, widths[w]), hg_matrix_view(y.data, rows, widths[w]));
      if (run == 0 || taken < least[w]) least[w] = taken;
    }
  double slope = (least[1] - least[0]) / (widths[1] - widths[0]);
  seconds[1] = slope > 0 ? slope / edges : 0;
  seconds[0] = least[0] / edges - seconds[1] * widths[0];
  if (seconds[0] < 0) seconds[0] = 0;
done:
  hg_matrix_free(&x);
  hg_matrix_free(&y);
  return rc;
}
