#include "runtime/train/grid_traffic.h"

#include "comm/grid.h"
#include "core/base/alloc.h"

hg_status hg_grid_work_create(hg_grid_work *work, const hg_model *model)
{
  hg_status rc = HG_OK;
  *work = (hg_grid_work){0};
  HG_TRY(HG_ALLOC(work->widths, 2 * model->n_layers, "widths of products"));
  HG_TRY(HG_ALLOC(work->layers, 2 * model->n_layers, "layers of products"));
  HG_TRY(HG_ALLOC(work->products, 2 * model->n_layers, "widths of products"));
  for (int l = 0; l < 2 * model->n_layers; l++) {
    int width = hg_model_turned(model, l / 2, l % 2);
    if (width == 0) continue;
    bool kept = hg_model_keeps_columns(model, l / 2);
    work->products[work->n] = l % 2 ? HG_GRID_BACKWARD : kept ? HG_GRID_KEPT : HG_GRID_FORWARD;
    work->layers[work->n] = l / 2;
    work->widths[work->n++] = width;
  }
done:
  if (rc != HG_OK) hg_grid_work_free(work);
  return rc;
}

void hg_grid_work_free(hg_grid_work *work)
{
  hg_free(&work->widths);
  hg_free(&work->layers);
  hg_free(&work->products);
  work->n = 0;
}

// One product of a rank: numbers that it sends, those of them that leave its host, and messages.
typedef struct {
  int64_t numbers, far, messages;
} sent;

static int columns_of(int width, int place, int columns)
{
  return hg_grid_first_column(width, place + 1, columns) - hg_grid_first_column(width, place, columns);
}

// the turn to rows of a rank, and that to columns, the group's slabs beginning at `first`; its hosts, or NULL
static sent turns(const hg_gid *first, int columns, int place, int width, bool to_columns, const int *host_of)
{
  int64_t rows = first[place + 1] - first[place];
  int cols = columns_of(width, place, columns);
  sent s = {.numbers = (first[columns] - first[0] - rows) * cols};
  if (to_columns) s.numbers += rows * (width - cols);
  for (int p = 0; p < columns; p++) {
    if (p == place) continue;
    s.messages += first[p + 1] > first[p] && cols > 0;
    s.messages += to_columns && rows > 0 && columns_of(width, p, columns) > 0;
    if (!host_of || host_of[p] == host_of[place]) continue;
    s.far += (first[p + 1] - first[p]) * cols + (to_columns ? rows * columns_of(width, p, columns) : 0);
  }
  return s;
}

// Halo rows that each rank of a group sends in a product.
static int64_t halo_rows(const hg_halo_rows *halo, int group, hg_grid_product product)
{
  return (product == HG_GRID_BACKWARD ? halo->received : halo->sent)[HG_SEND_SOURCES][group];
}

// Of these, what a rank sends to other hosts.
static int64_t far_rows(const hg_grid_hosts *hosts, int rank, hg_grid_product product)
{
  return !hosts ? 0 : (product == HG_GRID_BACKWARD ? hosts->received : hosts->sent)[rank];
}

hg_status hg_grid_traffic_count(hg_grid_traffic *traffic, const hg_grid_work *work, int n_groups, int columns,
                                const hg_gid *first, const hg_halo_rows *halo, const hg_grid_hosts *hosts,
                                int real_bytes)
{
  hg_status rc = HG_OK;
  *traffic = (hg_grid_traffic){.ranks = n_groups * columns};
  HG_TRY(HG_ALLOC(traffic->bytes, traffic->ranks, "bytes of ranks"));
  HG_TRY(HG_ALLOC(traffic->far_bytes, traffic->ranks, "bytes of ranks"));
  for (int r = 0; r < traffic->ranks; r++) {
    int g = r / columns, place = r % columns;
    int64_t messages = 0; // twice: a part's peers either way are known in sum alone
    for (int k = 0; k < work->n; k++) {
      int width = work->widths[k];
      if (columns == 1 && work->layers[k] == 0) continue;
      bool kept = work->products[k] == HG_GRID_KEPT && hg_grid_aligns(width, columns);
      const int *host_of = hosts ? hosts->host_of + (int64_t)g * columns : NULL;
      const sent s = turns(first + (int64_t)g * columns, columns, place, width, !kept, host_of);
      int cols = columns_of(width, place, columns);
      bool crosses = halo && !kept && cols > 0;
      traffic->bytes[r] += (s.numbers + (crosses ? halo_rows(halo, g, work->products[k]) * cols : 0)) * real_bytes;
      traffic->far_bytes[r] += (s.far + (crosses ? far_rows(hosts, r, work->products[k]) * cols : 0)) * real_bytes;
      messages += 2 * s.messages + (crosses ? halo->messages_both_ways : 0);
      traffic->total_messages += s.messages;
      if (crosses && g == 0) traffic->total_messages += halo->pairs; // of all groups in this column
    }
    traffic->total_bytes += traffic->bytes[r];
    if (traffic->bytes[r] > traffic->largest_bytes) traffic->largest_bytes = traffic->bytes[r];
    if (messages / 2 > traffic->most_messages) traffic->most_messages = messages / 2;
  }
done:
  if (rc != HG_OK) hg_grid_traffic_free(traffic);
  return rc;
}

hg_status hg_grid_traffic_estimate(hg_grid_traffic *traffic, const hg_grid_work *work, int n_groups, int columns,
                                   hg_gid nodes, const hg_halo_rows *halo, int real_bytes)
{
  hg_gid *first = NULL;
  int64_t ranks = (int64_t)n_groups * columns;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(first, ranks + 1, "slabs"));
  for (int64_t r = 0; r <= ranks; r++) first[r] = nodes * r / ranks;
  HG_TRY(hg_grid_traffic_count(traffic, work, n_groups, columns, first, halo, NULL, real_bytes));
done:
  hg_free(&first);
  return rc;
}

void hg_grid_traffic_free(hg_grid_traffic *traffic)
{
  hg_free(&traffic->bytes);
  hg_free(&traffic->far_bytes);
}
