#include "runtime/train/choose_columns.h"

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/log.h"
#include "partition/source_rows.h"
#include "runtime/train/edge_time.h"
#include "runtime/train/grid_traffic.h"

// What an epoch's products are, and the share of the bytes that parts of the graph exchange without zeros. Of the
// part the sizes do not matter.
static hg_status find_work(hg_grid_work *work, double *sent, const hg_config *config, const hg_store_header *header)
{
  const hg_stage stage = {.graph = {.links = &(hg_links){0}, .n_global = header->n_nodes}};
  hg_input input = {.width = header->feature_width, .is_dense = !header->sparse_features};
  hg_model model = {0};
  double all = 0, nonzero = 0;
  hg_status rc = HG_OK;
  if (config->dataset.append_positions) input.width += header->n_dims;
  HG_TRY(hg_model_plan(&model, &config->model, &stage, 1, &input, header->n_classes));
  HG_TRY(hg_grid_work_create(work, &model));
  for (int l = 0; l < model.n_layers; l++) {
    all += hg_model_exchanged(&model, l) * (double)sizeof(hg_real);
    nonzero += hg_model_nonzero_bytes(&model, l, HG_PACK_REAL);
  }
  *sent = all > 0 ? nonzero / all : 1;
done:
  hg_model_free(&model);
  return rc;
}

// What is compared, and by what.
typedef struct {
  const hg_column_speeds *speeds;
  const hg_grid_work *work;
  const hg_parts_index *index;
  double far;  // share of a rank's bytes that leave its host, were all others to get as much
  double sent; // of the bytes of parts' rows: without zeros
} comparison;

hg_status hg_column_speeds_measure(hg_column_speeds *speeds, hg_world *world, const hg_part *part)
{
  const hg_operator op = {.a = &part->a};
  hg_off local = (hg_off)part->n_owned + part->n_halo;
  hg_status rc = HG_OK;
  *speeds = (hg_column_speeds){.edges = (double)hg_csr_entries(&part->a)};
  HG_TRY_ALL(world, "timing an edge", hg_edge_time(&op, part->n_owned, local, speeds->edge_s));
  hg_max_doubles(world, speeds->edge_s, 2);
  hg_sum_doubles(world, &speeds->edges, 1);
  HG_TRY(hg_message_speed_measure(world, &speeds->messages));
done:
  return rc;
}

static double crossing_seconds(const hg_message_speed *m, hg_message_place place, double messages, double bytes)
{
  return m->bytes_s[place] > 0 ? messages * m->latency_s[place] + bytes / m->bytes_s[place] : 0;
}

static double seconds_of(const comparison *c, const hg_grid_traffic *traffic, int columns)
{
  const hg_column_speeds *s = c->speeds;
  double groups = (double)c->index->n_parts / columns, products = 0;
  for (int k = 0; k < c->work->n; k++) {
    double width = (double)c->work->widths[k] / columns;
    products += s->edges / groups * (s->edge_s[0] + s->edge_s[1] * width);
  }
  double messages = (double)traffic->most_messages, bytes = (double)traffic->largest_bytes;
  if (columns == 1) bytes *= c->sent;
  double crossing = c->far * crossing_seconds(&s->messages, HG_BETWEEN_HOSTS, messages, bytes) +
                    (1 - c->far) * crossing_seconds(&s->messages, HG_INSIDE_HOST, messages, bytes);
  double hidden = columns > 1 ? 0 : crossing < products ? crossing / 2 : products / 2;
  return products + crossing - hidden;
}

// seconds of these products with so many columns
static hg_status try_columns(double *seconds, const comparison *c, int columns)
{
  int groups = c->index->n_parts / columns;
  hg_halo_rows rows = {0};
  hg_grid_traffic traffic = {0};
  hg_status rc = HG_OK;
  if (groups > 1) HG_TRY(hg_source_rows_count(&rows, c->index, columns));
  HG_TRY(hg_grid_traffic_count(&traffic, c->work, groups, columns, c->index->offsets, groups > 1 ? &rows : NULL,
                               (int)sizeof(hg_real)));
  *seconds = seconds_of(c, &traffic, columns);
  hg_log(HG_LOG_INFO, "parallel.mode auto: %d part%s x %d columns: at most %.4g MiB of a rank, %.4g ms an epoch",
         groups, groups == 1 ? "" : "s", columns, (double)traffic.largest_bytes / (1 << 20), *seconds * 1e3);
done:
  hg_halo_rows_free(&rows);
  hg_grid_traffic_free(&traffic);
  return rc;
}

static hg_status choose(const hg_config *config, const char *path, const comparison *speeds, bool skips_zeros,
                        int *columns)
{
  hg_store_header header;
  hg_parts_index index = {0};
  hg_grid_work work = {0};
  comparison c = *speeds;
  double least = 0, seconds = 0;
  c.work = &work;
  c.index = &index;
  hg_status rc = HG_OK;
  HG_TRY(hg_store_read_header(path, &header));
  HG_TRY(hg_store_read_parts_index(path, -1, &index));
  HG_TRY(find_work(&work, &c.sent, config, &header));
  if (!skips_zeros) c.sent = 1;
  for (int b = 1; b <= index.n_parts; b++) {
    if (index.n_parts % b != 0) continue;
    HG_TRY(try_columns(&seconds, &c, b));
    if (b > 1 && seconds >= least) continue;
    least = seconds;
    *columns = b;
  }
done:
  hg_grid_work_free(&work);
  hg_parts_index_free(&index);
  return rc;
}

hg_status hg_columns_choose(hg_world *world, const hg_config *config, const char *parts_path,
                            const hg_column_speeds *speeds, int *columns)
{
  double size = hg_world_size(world), here = speeds->messages.ranks_per_host;
  bool chooses = hg_world_rank(world) == 0 && size > 1;
  bool skips_zeros = hg_halo_skips_zeros(&config->model.halo, world);
  comparison c = {.speeds = speeds, .far = size > here ? 1 - (here - 1) / (size - 1) : 0};
  hg_status rc = HG_OK;
  *columns = 1;
  HG_TRY_ALL(world, "choosing the columns", chooses ? choose(config, parts_path, &c, skips_zeros, columns) : HG_OK);
  hg_alloc_trim();
  hg_broadcast(world, columns, sizeof *columns, 0);
done:
  return rc;
}
