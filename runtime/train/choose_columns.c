#include "runtime/train/choose_columns.h"

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/graph/store.h"
#include "partition/source_rows.h"
#include "runtime/train/grid_traffic.h"

// What an epoch's products are. Of the part the sizes do not matter.
static hg_status find_work(hg_grid_work *work, const hg_config *config, const hg_store_header *header)
{
  const hg_stage stage = {.graph = {.n_global = header->n_nodes}};
  hg_input input = {.width = header->feature_width, .is_dense = !header->sparse_features};
  hg_model model = {0};
  hg_status rc = HG_OK;
  if (config->dataset.append_positions) input.width += header->n_dims;
  HG_TRY(hg_model_plan(&model, &config->model, &stage, 1, &input, header->n_classes));
  HG_TRY(hg_grid_work_create(work, &model));
done:
  hg_model_free(&model);
  return rc;
}

// bytes of the rank that sends most, with so many columns
static hg_status count(int64_t *most, const hg_grid_work *work, const hg_parts_index *index, int columns)
{
  int groups = index->n_parts / columns;
  hg_halo_rows rows = {0};
  hg_grid_traffic traffic = {0};
  hg_status rc = HG_OK;
  if (groups > 1) HG_TRY(hg_source_rows_count(&rows, index, columns));
  HG_TRY(hg_grid_traffic_count(&traffic, work, groups, columns, index->offsets, groups > 1 ? &rows : NULL,
                               (int)sizeof(hg_real)));
  *most = traffic.largest_bytes;
done:
  hg_halo_rows_free(&rows);
  hg_grid_traffic_free(&traffic);
  return rc;
}

static hg_status choose(const hg_config *config, const char *path, int *columns)
{
  hg_store_header header;
  hg_parts_index index = {0};
  hg_grid_work work = {0};
  int64_t least = 0, most = 0;
  hg_status rc = HG_OK;
  HG_TRY(hg_store_read_header(path, &header));
  HG_TRY(hg_store_read_parts_index(path, -1, &index));
  HG_TRY(find_work(&work, config, &header));
  for (int b = 1; b <= index.n_parts; b++) {
    if (index.n_parts % b != 0) continue;
    HG_TRY(count(&most, &work, &index, b));
    hg_log(HG_LOG_INFO, "parallel.mode auto: %d part%s x %d columns: at most %.4g MiB of a rank an epoch",
           index.n_parts / b, index.n_parts == b ? "" : "s", b, (double)most / (1 << 20));
    if (b > 1 && most >= least) continue;
    least = most;
    *columns = b;
  }
done:
  hg_grid_work_free(&work);
  hg_parts_index_free(&index);
  return rc;
}

hg_status hg_columns_choose(hg_world *world, const hg_config *config, const char *parts_path, int *columns)
{
  bool alone = hg_world_size(world) == 1, chooses = hg_world_rank(world) == 0 && !alone;
  hg_status rc = HG_OK;
  *columns = 1;
  HG_TRY_ALL(world, "choosing the columns", chooses ? choose(config, parts_path, columns) : HG_OK);
  hg_alloc_trim();
  hg_broadcast(world, columns, sizeof *columns, 0);
done:
  return rc;
}
