#include "runtime/train/choose_columns.h"

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/log.h"
#include "partition/source_rows.h"
#include "runtime/train/edge_time.h"
#include "runtime/train/grid_traffic.h"

// What an epoch's products are, and the share of these products' rows that parts of the graph exchange: between hosts
// without zeros, and not at all where the first layer computes its halo. Of the part the sizes do not matter.
static hg_status find_work(hg_grid_work *work, double *sent, hg_world *world, const hg_config *config,
                           const hg_store_header *header)
{
  const hg_stage stage = {.graph = {.world = world, .links = &(hg_links){0}, .n_global = header->n_nodes}};
  hg_input input = {.width = header->feature_width, .is_dense = !header->sparse_features};
  hg_model model = {0};
  double all = 0, crossing = 0;
  hg_status rc = HG_OK;
  if (config->dataset.append_positions) input.width += header->n_dims;
  HG_TRY(hg_model_plan(&model, &config->model, &stage, 1, &input, header->n_classes));
  HG_TRY(hg_grid_work_create(work, &model));
  for (int l = 1; l < model.n_layers; l++) {
    all += hg_model_turned(&model, l, true) * (double)sizeof(hg_real);
    crossing += model.layers[l].packing.skip_zeros ? hg_model_nonzero_bytes(&model, l, HG_PACK_REAL)
                                                   : hg_model_exchanged(&model, l) * (double)sizeof(hg_real);
  }
  *sent = all > 0 ? crossing / all : 1;
done:
  hg_model_free(&model);
  return rc;
}

// What is compared, and by what.
typedef struct {
  const hg_column_speeds *speeds;
  const hg_grid_work *work;
  const hg_parts_index *index;
  const int *host_of;               // [ranks]
  int64_t *far_sent, *far_received; // [ranks] working space
  double sent;                      // of the bytes of parts' rows, what crosses
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

// What the exchanges of the slowest rank take: each rank's bytes go by its host's network or stay in the host, and as
// large a share of its messages does.
static double crossing_most(const comparison *c, const hg_grid_traffic *traffic, double sent)
{
  const hg_message_speed *m = &c->speeds->messages;
  double most = 0, messages = (double)traffic->most_messages;
  for (int r = 0; r < traffic->ranks; r++) {
    double bytes = (double)traffic->bytes[r], far_bytes = (double)traffic->far_bytes[r];
    if (bytes <= 0) continue;
    double far = far_bytes / bytes;
    double seconds = crossing_seconds(m, HG_BETWEEN_HOSTS, far * messages, far_bytes * sent) +
                     crossing_seconds(m, HG_INSIDE_HOST, (1 - far) * messages, (bytes - far_bytes) * sent);
    if (seconds > most) most = seconds;
  }
  return most;
}

static double seconds_of(const comparison *c, const hg_grid_traffic *traffic, int columns)
{
  const hg_column_speeds *s = c->speeds;
  double groups = (double)c->index->n_parts / columns, products = 0;
  for (int k = 0; k < c->work->n; k++) {
    double width = (double)c->work->widths[k] / columns;
    products += s->edges / groups * (s->edge_s[0] + s->edge_s[1] * width);
  }
  double crossing = crossing_most(c, traffic, columns == 1 ? c->sent : 1);
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
  const hg_grid_hosts hosts = {c->host_of, c->far_sent, c->far_received};
  if (groups > 1) HG_TRY(hg_source_rows_count(&rows, c->index, columns));
  if (groups > 1) HG_TRY(hg_source_rows_far(c->far_sent, c->far_received, c->index, columns, c->host_of));
  HG_TRY(hg_grid_traffic_count(&traffic, c->work, groups, columns, c->index->offsets, groups > 1 ? &rows : NULL, &hosts,
                               (int)sizeof(hg_real)));
  *seconds = seconds_of(c, &traffic, columns);
  hg_log(HG_LOG_INFO, "parallel.mode auto: %d part%s x %d columns: at most %.4g MiB of a rank, %.4g ms an epoch",
         groups, groups == 1 ? "" : "s", columns, (double)traffic.largest_bytes / (1 << 20), *seconds * 1e3);
done:
  hg_halo_rows_free(&rows);
  hg_grid_traffic_free(&traffic);
  return rc;
}

static hg_status choose(hg_world *world, const hg_config *config, const char *path, const hg_column_speeds *speeds,
                        int *columns)
{
  hg_store_header header;
  hg_parts_index index = {0};
  hg_grid_work work = {0};
  double least = 0, seconds = 0;
  int *host_of = NULL, size = hg_world_size(world);
  comparison c = {.speeds = speeds, .work = &work, .index = &index};
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(host_of, size, "hosts of ranks"));
  HG_TRY(HG_ALLOC(c.far_sent, size, "rows between hosts"));
  HG_TRY(HG_ALLOC(c.far_received, size, "rows between hosts"));
  for (int r = 0; r < size; r++) host_of[r] = hg_world_host_of(world, r);
  c.host_of = host_of;
  HG_TRY(hg_store_read_header(path, &header));
  HG_TRY(hg_store_read_parts_index(path, -1, &index));
  HG_TRY(find_work(&work, &c.sent, world, config, &header));
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
  hg_free(&host_of);
  hg_free(&c.far_sent);
  hg_free(&c.far_received);
  return rc;
}

hg_status hg_columns_choose(hg_world *world, const hg_config *config, const char *parts_path,
                            const hg_column_speeds *speeds, int *columns)
{
  bool chooses = hg_world_rank(world) == 0 && hg_world_size(world) > 1;
  hg_status rc = HG_OK;
  *columns = 1;
  HG_TRY_ALL(world, "choosing the columns", chooses ? choose(world, config, parts_path, speeds, columns) : HG_OK);
  hg_alloc_trim();
  hg_broadcast(world, columns, sizeof *columns, 0);
done:
  return rc;
}
