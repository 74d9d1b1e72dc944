#include "runtime/train/grid_traffic.h"

#include "comm/grid.h"
#include "core/base/alloc.h"

hg_status hg_grid_work_create(hg_grid_work *work, const hg_model *model)
{
  hg_status rc = HG_OK;
  *work = (hg_grid_work){0};
  HG_TRY(HG_ALLOC(work->widths, 2 * model->n_layers, "widths of products"));
  HG_TRY(HG_ALLOC(work->backward, 2 * model->n_layers, "widths of products"));
  for (int l = 0; l < 2 * model->n_layers; l++) {
    int width = hg_model_turned(model, l / 2, l % 2);
    if (width == 0) continue;
    work->backward[work->n] = l % 2;
    work->widths[work->n++] = width;
  }
done:
  if (rc != HG_OK) hg_grid_work_free(work);
  return rc;
}

void hg_grid_work_free(hg_grid_work *work)
{
  hg_free(&work->widths);
  hg_free(&work->backward);
  work->n = 0;
}

// One product of a rank: numbers that it sends, and messages.
typedef struct {
  int64_t numbers, messages;
} sent;

// the two turns of rank (group, place), of which the group's slabs begin at `first`
static sent turns(const hg_gid *first, int columns, int place, int width)
{
  int64_t rows = first[place + 1] - first[place];
  int cols = hg_grid_first_column(width, place + 1, columns) - hg_grid_first_column(width, place, columns);
  sent s = {.numbers = rows * (width - cols) + (first[columns] - first[0] - rows) * cols};
  for (int p = 0; p < columns; p++) {
    int others = hg_grid_first_column(width, p + 1, columns) - hg_grid_first_column(width, p, columns);
    s.messages += p != place && rows > 0 && others > 0;
    s.messages += p != place && first[p + 1] > first[p] && cols > 0;
  }
  return s;
}

hg_status hg_grid_traffic_count(hg_grid_traffic *traffic, const hg_grid_work *work, int n_groups, int columns,
                                const hg_gid *first, const hg_halo_rows *halo, int real_bytes)
{
  *traffic = (hg_grid_traffic){.ranks = n_groups * columns};
  hg_status rc = HG_ALLOC(traffic->bytes, traffic->ranks, "bytes of ranks");
  if (rc != HG_OK) return rc;
  for (int r = 0; r < traffic->ranks; r++) {
    int g = r / columns, place = r % columns;
    int64_t messages = 0; // twice: a part's peers either way are known in sum alone
    for (int k = 0; k < work->n; k++) {
      int width = work->widths[k];
      const sent s = turns(first + (int64_t)g * columns, columns, place, width);
      int cols = hg_grid_first_column(width, place + 1, columns) - hg_grid_first_column(width, place, columns);
      int64_t rows = 0;
      if (halo) rows = (work->backward[k] ? halo->received : halo->sent)[HG_SEND_SOURCES][g];
      traffic->bytes[r] += (s.numbers + rows * cols) * real_bytes;
      messages += 2 * s.messages + (halo && cols > 0 ? halo->messages_both_ways : 0);
      traffic->total_messages += s.messages;
      if (halo && g == 0 && cols > 0) traffic->total_messages += halo->pairs; // of all groups in this column
    }
    traffic->total_bytes += traffic->bytes[r];
    if (traffic->bytes[r] > traffic->largest_bytes) traffic->largest_bytes = traffic->bytes[r];
    if (messages / 2 > traffic->most_messages) traffic->most_messages = messages / 2;
  }
  return HG_OK;
}

hg_status hg_grid_traffic_estimate(hg_grid_traffic *traffic, const hg_grid_work *work, int n_groups, int columns,
                                   hg_gid nodes, const hg_halo_rows *halo, int real_bytes)
{
  hg_gid *first = NULL;
  int64_t ranks = (int64_t)n_groups * columns;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(first, ranks + 1, "slabs"));
  for (int64_t r = 0; r <= ranks; r++) first[r] = nodes * r / ranks;
  HG_TRY(hg_grid_traffic_count(traffic, work, n_groups, columns, first, halo, real_bytes));
done:
  hg_free(&first);
  return rc;
}

void hg_grid_traffic_free(hg_grid_traffic *traffic) { hg_free(&traffic->bytes); }
