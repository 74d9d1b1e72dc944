#include "runtime/train/dataset.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "comm/slices.h"
#include "core/base/alloc.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "partition/cache.h"
#include "partition/quality.h"
#include "runtime/train/check_model.h"

// a parts file that the user names must be for this number of ranks
static hg_status check_given_parts(const char *path, int ranks)
{
  hg_parts_index index;
  hg_status rc = hg_store_read_parts_index(path, 0, &index);
  if (rc != HG_OK) return rc;
  int found = index.n_parts;
  hg_parts_index_free(&index);
  if (found != ranks)
    return hg_fail(HG_ERR_INPUT,
                   "%s: found %d parts, expected one for each of the %d ranks; make one with `halognn partition -k %d`",
                   path, found, ranks, ranks);
  return HG_OK;
}

// the config names both a graph and parts: they must belong together
static hg_status check_same_graph(const char *graph, const char *parts)
{
  hg_store_header of_graph, of_parts;
  hg_status rc = HG_OK;
  HG_TRY(hg_store_read_header(graph, &of_graph));
  HG_TRY(hg_store_read_header(parts, &of_parts));
  if (of_graph.fingerprint != of_parts.fingerprint)
    rc = hg_fail(HG_ERR_INPUT, "partition.path: found %s, which was made from another graph than %s", parts, graph);
done:
  return rc;
}

// Parts that are missing: rank 0 alone finds out, and makes them unless all ranks must do it together.
typedef struct {
  char path[HG_PATH_MAX];
  bool sliced; ///< to be made by all
} parts_file;

// The parts of this config and world; all ranks know the same
static hg_partition_options options_of(const hg_config *config, const hg_world *world, int slabs)
{
  hg_partition_options options = hg_config_partition(config);
  options.slabs = slabs;
  if (config->partition.hosts < 0 && !hg_partition_sliced(&options)) options.hosts = hg_world_hosts(world);
  return options;
}

static hg_status own_path(const hg_config *config, int k, char *path)
{
  hg_log(HG_LOG_WARN, "%s; keeping the parts in the run's folder", hg_error_text());
  hg_status rc = hg_make_directories(config->output);
  if (rc != HG_OK) return rc;
  if (snprintf(path, HG_PATH_MAX, "%s/parts_k%d.hg", config->output, k) >= HG_PATH_MAX)
    return hg_fail(HG_ERR_INPUT, "%s: the path is too long", config->output);
  return HG_OK;
}

// a folder that cannot be written is no reason to fail: the run's own folder can
static hg_status make_parts(const char *graph, const hg_world *world, int slabs, const hg_config *config,
                            parts_file *file)
{
  int ranks = hg_world_size(world);
  hg_partition_options options = options_of(config, world, slabs);
  if (config->partition.hosts < 0 && options.hosts == 0)
    hg_log(HG_LOG_WARN,
           "partition.hosts: the ranks are not numbered host by host, as many on each: one level of parts");
  hg_status rc = hg_parts_cache_path(graph, ranks, &options, file->path, HG_PATH_MAX);
  if (rc != HG_OK) return rc;
  if (hg_parts_cache_valid(file->path, graph, ranks, &options)) return HG_OK;
  hg_log(HG_LOG_INFO, "partitioning %s into %d parts with %s", graph, ranks, options.method);
  file->sliced = hg_partition_sliced(&options);
  rc = file->sliced ? hg_parts_try_path(graph, ranks, &options, file->path)
                    : hg_partition_file(graph, ranks, &options, file->path);
  if (rc != HG_ERR_IO) return rc;
  rc = own_path(config, ranks, file->path);
  if (rc != HG_OK || file->sliced) return rc;
  return hg_partition_file(graph, ranks, &options, file->path);
}

// what is needed of a graph; said of the file that the user named, and before a large graph is partitioned
static hg_status check_contents(const hg_store_header *header, const char *path, const hg_config *config, bool training)
{
  if (header->feature_width < 1 && !config->dataset.append_positions)
    return hg_fail(HG_ERR_INPUT, "%s: found no node features, a model needs some", path);
  if (!training) return HG_OK;
  if (header->task == HG_TASK_NONE)
    return hg_fail(HG_ERR_INPUT, "%s: found no labels or targets, training needs some", path);
  if (header->n_split[HG_SPLIT_TRAIN] + header->n_split[HG_SPLIT_VAL] + header->n_split[HG_SPLIT_TEST] == 0)
    return hg_fail(HG_ERR_INPUT,
                   "%s: found no split, expected one: import it or make it with `halognn import --split planetoid`",
                   path);
  return HG_OK;
}

static hg_status find_parts(const hg_config *config, const hg_world *world, int slabs, bool training, parts_file *file)
{
  char *path = file->path;
  int ranks = hg_world_size(world);
  const char *graph = config->dataset.path;
  hg_store_kind kind;
  hg_store_header header;
  hg_status rc = HG_OK;
  if (config->partition.path[0]) {
    snprintf(path, HG_PATH_MAX, "%s", config->partition.path);
    rc = check_given_parts(path, ranks);
    return rc == HG_OK ? check_same_graph(graph, path) : rc;
  }
  HG_TRY(hg_store_kind_of(graph, &kind));
  if (kind == HG_STORE_PARTS) {
    snprintf(path, HG_PATH_MAX, "%s", graph);
    return check_given_parts(path, ranks);
  }
  if (kind != HG_STORE_GRAPH)
    return hg_fail(HG_ERR_INPUT, "%s: found no graph file, expected what `halognn import` or `halognn generate` writes",
                   graph);
  HG_TRY(hg_store_read_header(graph, &header));
  HG_TRY(check_contents(&header, graph, config, training));
  rc = make_parts(graph, world, slabs, config, file);
done:
  return rc;
}

static hg_status append_positions(hg_dataset *d, const hg_config *config)
{
  if (!config->dataset.append_positions) return HG_OK;
  return hg_context(hg_nodes_append_positions(&d->part.nodes), "dataset.append_positions: %s", config->dataset.path);
}

static hg_status read_alone(hg_dataset *d, const hg_config *config, int rank, bool training)
{
  hg_parts_index index = {0};
  hg_status rc = HG_OK;
  HG_TRY(hg_store_read_header(d->parts_path, &d->header));
  HG_TRY(check_contents(&d->header, d->parts_path, config, training));
  HG_TRY(hg_part_read(&d->part, d->parts_path, rank));
  HG_TRY(append_positions(d, config));
  HG_TRY(hg_store_read_parts_index(d->parts_path, rank, &index));
  json_t *quality = json_loads(index.quality_json ? index.quality_json : "{}", 0, NULL);
  d->partition_seconds = json_number_value(json_object_get(quality, "seconds"));
  d->reorder_seconds = json_number_value(json_object_get(quality, "reorder_seconds"));
  d->edge_cut = json_integer_value(json_object_get(quality, "edge_cut"));
  d->halo_nodes = index.halo_offsets[index.n_parts];
  json_decref(quality);
done:
  hg_parts_index_free(&index);
  return rc;
}

static hg_status check_splits(const hg_dataset *d, hg_world *world)
{
  int64_t n[HG_SPLIT_COUNT];
  for (int s = 0; s < HG_SPLIT_COUNT; s++) n[s] = d->labelled.n_rows[s];
  hg_sum_int64(world, n, HG_SPLIT_COUNT);
  if (n[HG_SPLIT_TRAIN] == 0)
    return hg_fail(HG_ERR_INPUT, "%s: found no labelled training node, expected at least one", d->parts_path);
  return HG_OK;
}

static hg_status learn_scales(hg_dataset *d, hg_world *world, const hg_config *config)
{
  const hg_nodes *nodes = &d->part.nodes;
  const hg_scaling_sample sample = {world, d->labelled.rows[HG_SPLIT_TRAIN], d->labelled.n_rows[HG_SPLIT_TRAIN]};
  bool by_edges = hg_needs_positions(config) && config->model.normalize_positions == HG_POSITIONS_MEAN_EDGE;
  hg_status rc = HG_OK;
  d->scales.position = by_edges ? 0 : 1;
  HG_TRY_ALL(world, "scaling features",
             hg_scales_learn_features(&d->scales, &nodes->features, sample, config->dataset.normalize_features));
  HG_TRY_ALL(world, "scaling targets",
             hg_scales_learn_targets(&d->scales, nodes, sample, config->dataset.normalize_targets));
done:
  return rc;
}

static hg_status scale(hg_dataset *d, hg_world *world, const hg_config *config, const hg_trained *trained)
{
  hg_nodes *nodes = &d->part.nodes;
  hg_status rc = HG_OK;
  if (trained && hg_scales_known(trained->scales))
    HG_TRY_ALL(world, "taking the model's scales",
               hg_trained_scales(trained, &d->scales, &nodes->features, nodes, config, config->dataset.path));
  else
    HG_TRY(learn_scales(d, world, config));
  hg_scale_features(&nodes->features, nodes->n, config->dataset.normalize_features, &d->scales);
  hg_scale_targets(nodes, &d->scales);
  d->labelled.target_mean = d->scales.target_mean;
  d->labelled.target_scale = d->scales.target_scale;
done:
  return rc;
}

// on all ranks, or on none
static hg_status make_dense(hg_dataset *d, hg_world *world, const hg_config *config)
{
  hg_nodes *nodes = &d->part.nodes;
  hg_features *f = &nodes->features;
  double sums[] = {(double)nodes->n, f->indptr ? (double)f->indptr[nodes->n] : 0};
  hg_status rc = HG_OK;
  hg_sum_doubles(world, sums, 2);
  if (!hg_wants_dense(config, f, sums[0], sums[1])) return HG_OK;
  if (hg_world_rank(world) == 0)
    hg_log(HG_LOG_INFO, "%.1f %% of the sparse features are not 0: computing with dense ones",
           100 * sums[1] / (sums[0] * f->width));
  HG_TRY_ALL(world, "making features dense", hg_features_densify(f, nodes->n));
done:
  return rc;
}

static hg_status provide_parts(hg_dataset *d, hg_world *world, const hg_config *config, bool training, int slabs)
{
  hg_status rc = HG_OK;
  parts_file file = {.path = ""};
  hg_status found = hg_world_rank(world) == 0 ? find_parts(config, world, slabs, training, &file) : HG_OK;
  hg_alloc_trim(); // what partitioning needed must not stand beside what training needs
  HG_TRY_ALL(world, "partitioning", found);
  hg_broadcast(world, &file, sizeof file, 0);
  if (file.sliced) {
    hg_partition_options options = options_of(config, world, slabs);
    HG_TRY(hg_slices_partition_file(world, config->dataset.path, hg_world_size(world), &options, file.path));
    hg_alloc_trim();
  }
  snprintf(d->parts_path, sizeof d->parts_path, "%s", file.path);
done:
  return rc;
}

hg_status hg_dataset_load(hg_dataset *dataset, hg_world *world, const hg_config *config, const hg_trained *trained)
{
  return hg_dataset_load_slabs(dataset, world, config, trained, 1);
}

hg_status hg_dataset_load_slabs(hg_dataset *dataset, hg_world *world, const hg_config *config,
                                const hg_trained *trained, int slabs)
{
  memset(dataset, 0, sizeof *dataset);
  int rank = hg_world_rank(world);
  hg_status rc = HG_OK;
  HG_TRY(provide_parts(dataset, world, config, !trained, slabs));
  HG_TRY_ALL(world, "loading parts", read_alone(dataset, config, rank, !trained));
  if (trained && trained->fingerprint != dataset->header.fingerprint)
    HG_TRY_ALL(world, "loading parts", hg_trained_adopt(trained, &dataset->part.nodes, config, config->dataset.path));
  HG_TRY_ALL(world, "loading parts", hg_labelled_create(&dataset->labelled, &dataset->part.nodes));
  if (!trained) HG_TRY_ALL(world, "loading parts", check_splits(dataset, world));
  HG_TRY(hg_links_create(&dataset->links, world, &dataset->part));
  if (config->model.halo.hosts == HG_HOSTS_MERGED) HG_TRY(hg_links_merge(&dataset->links, world));
  HG_TRY(scale(dataset, world, config, trained));
  HG_TRY(make_dense(dataset, world, config));
done:
  if (rc != HG_OK) hg_dataset_free(dataset);
  return rc;
}

void hg_dataset_free(hg_dataset *dataset)
{
  hg_links_free(&dataset->links);
  hg_part_free(&dataset->part);
  hg_labelled_free(&dataset->labelled);
  hg_scales_free(&dataset->scales);
}
