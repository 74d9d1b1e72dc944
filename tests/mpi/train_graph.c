#include "tests/mpi/train_graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/graph/csr_build.h"
#include "core/graph/store.h"

train_graph train_graph_default(void)
{
  return (train_graph){.n = 90, .degree = 4, .width = 7, .n_classes = 3, .task = HG_TASK_CLASSES, .seed = 5};
}

static uint64_t draw(const train_graph *g, hg_off a, uint32_t b, uint64_t n)
{
  return hg_rng_below((hg_rng){.seed = g->seed, .stream = HG_STREAM_TEST}, (uint64_t)a, b, n);
}

// the last nodes stay isolated
static hg_status random_edges(void *source, hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  const train_graph *g = source;
  hg_off connected = g->connected ? g->connected : g->n * 9 / 10;
  for (hg_off e = 0; e < connected * g->degree; e++) {
    hg_status rc =
        edge(context, (hg_gid)draw(g, e, 0, (uint64_t)connected), (hg_gid)draw(g, e, 1, (uint64_t)connected));
    if (rc != HG_OK) return rc;
  }
  for (hg_gid i = 1; g->hub && i < connected; i++) {
    hg_status rc = edge(context, i, 0);
    if (rc != HG_OK) return rc;
  }
  return HG_OK;
}

static float normal(const train_graph *g, hg_off a, uint32_t b)
{
  return (float)hg_rng_normal((hg_rng){.seed = g->seed, .stream = HG_STREAM_TEST}, (uint64_t)a, b);
}

static hg_status fill_features(const train_graph *g, hg_features *f)
{
  hg_status rc = HG_OK;
  f->width = g->width;
  if (!g->sparse_features) {
    HG_TRY(HG_ALLOC(f->dense, g->n * g->width, "features"));
    for (hg_off e = 0; e < g->n * g->width; e++) f->dense[e] = normal(g, e, 2);
    goto done;
  }
  HG_TRY(HG_ALLOC(f->indptr, g->n + 1, "features"));
  HG_TRY(HG_ALLOC(f->indices, g->n * g->width, "features"));
  HG_TRY(HG_ALLOC(f->values, g->n * g->width, "features"));
  for (hg_off i = 0, e = 0; i < g->n; i++) {
    for (int k = 0; k < g->width; k++) {
      if (draw(g, i * g->width + k, 3, 3) != 0) continue;
      f->indices[e] = k;
      f->values[e++] = normal(g, i * g->width + k, 4);
    }
    f->indptr[i + 1] = e;
  }
done:
  return rc;
}

static bool is_known(const train_graph *g, hg_off i)
{
  return g->labelled_of ? draw(g, i, 10, (uint64_t)g->labelled_of) == 0 : i % 4 != 3;
}

static hg_status fill_truth(const train_graph *g, hg_nodes *nodes)
{
  hg_status rc = HG_OK;
  hg_off bytes = hg_label_bytes(g->n_classes);
  nodes->task = g->task;
  nodes->n_classes = g->n_classes;
  if (g->task == HG_TASK_CLASSES) HG_TRY(HG_ALLOC(nodes->labels, g->n, "labels"));
  if (g->task == HG_TASK_MULTILABEL) HG_TRY(HG_ALLOC(nodes->label_bits, g->n * bytes, "label bits"));
  if (g->task == HG_TASK_REGRESSION) HG_TRY(HG_ALLOC(nodes->targets, g->n * g->n_classes, "targets"));
  for (hg_off i = 0; i < g->n; i++) {
    if (nodes->labels) nodes->labels[i] = is_known(g, i) ? (int32_t)draw(g, i, 5, (uint64_t)g->n_classes) : -1;
    for (int c = 0; c < g->n_classes; c++) {
      if (nodes->label_bits && draw(g, i * g->n_classes + c, 6, 2))
        nodes->label_bits[i * bytes + c / 8] = (uint8_t)(nodes->label_bits[i * bytes + c / 8] | 1 << c % 8);
      if (nodes->targets) nodes->targets[i * g->n_classes + c] = normal(g, i * g->n_classes + c, 7);
    }
  }
done:
  return rc;
}

static hg_status fill_nodes(const train_graph *g, hg_nodes *nodes)
{
  hg_status rc = HG_OK;
  nodes->n = g->n;
  HG_TRY(fill_features(g, &nodes->features));
  HG_TRY(fill_truth(g, nodes));
  nodes->n_dims = g->n_dims;
  if (g->n_dims) HG_TRY(HG_ALLOC(nodes->positions, g->n * g->n_dims, "positions"));
  for (hg_off e = 0; e < g->n * g->n_dims; e++) nodes->positions[e] = normal(g, e, 9);
  if (g->nan_position) nodes->positions[g->n * g->n_dims - 1] = NAN;
  HG_TRY(HG_ALLOC(nodes->split, g->n, "split"));
  HG_TRY(HG_ALLOC(nodes->original_ids, g->n, "original ids"));
  for (hg_off i = 0; i < g->n; i++) {
    bool known = (!nodes->labels && !g->labelled_of) || is_known(g, i);
    nodes->split[i] = (uint8_t)(known ? HG_SPLIT_TRAIN + draw(g, i, 8, 3) : HG_SPLIT_NONE);
    if (known && g->train_of) nodes->split[i] = draw(g, i, 8, (uint64_t)g->train_of) ? HG_SPLIT_VAL : HG_SPLIT_TRAIN;
    nodes->original_ids[i] = 1000 + 3 * i;
  }
done:
  return rc;
}

static hg_status write_alone(const void *graph_wanted, const char *path)
{
  const train_graph *what = graph_wanted;
  train_graph g = *what;
  hg_graph graph = {.symmetric = !what->directed};
  hg_build_counts counts;
  hg_status rc = HG_OK;
  HG_TRY(hg_csr_build(&graph.adjacency, g.n, random_edges, &g, !what->directed, &counts));
  HG_TRY(fill_nodes(what, &graph.nodes));
  HG_TRY(hg_store_write_graph(path, &graph, "test"));
done:
  hg_graph_free(&graph);
  return rc;
}

hg_status train_file_write(hg_world *world, hg_status (*write)(const void *what, const char *path), const void *what,
                           char path[HG_PATH_MAX])
{
  hg_status rc = HG_OK;
  if (hg_world_rank(world) == 0) {
    char folder[] = "/tmp/halognn_train_XXXXXX";
    rc = mkdtemp(folder) ? HG_OK : hg_fail(HG_ERR_IO, "%s: cannot make it", folder);
    snprintf(path, HG_PATH_MAX, "%s/graph.hg", folder);
    if (rc == HG_OK) rc = write(what, path);
  }
  rc = hg_agree(world, rc, "writing the test graph");
  if (rc == HG_OK) hg_broadcast(world, path, HG_PATH_MAX, 0);
  return rc;
}

hg_status train_graph_write(hg_world *world, const train_graph *what, char path[HG_PATH_MAX])
{
  return train_file_write(world, write_alone, what, path);
}

void train_graph_remove(hg_world *world, const char *path)
{
  hg_barrier(world);
  if (hg_world_rank(world) != 0) return;
  char command[HG_PATH_MAX + 32];
  snprintf(command, sizeof command, "rm -rf '%.*s'", (int)(strrchr(path, '/') - path), path);
  if (system(command) != 0) fprintf(stderr, "cannot remove %s\n", path);
}

hg_config train_config(const char *path)
{
  hg_config config = hg_config_default();
  snprintf(config.name, sizeof config.name, "test");
  snprintf(config.dataset.path, sizeof config.dataset.path, "%s", path);
  snprintf(config.output, sizeof config.output, "%.*s/run", (int)(strrchr(path, '/') - path), path);
  config.model.hidden = 5;
  config.model.dropout = config.model.input_dropout = 0;
  config.train.epochs = 5;
  config.dataset.dense_from = 1;
  return config;
}

void train_values(hg_matrix *m, hg_off rows, const hg_gid *ids, uint32_t salt)
{
  for (hg_off i = 0; i < rows; i++)
    for (int c = 0; c < m->cols; c++)
      m->data[i * m->cols + c] =
          (hg_real)hg_rng_normal((hg_rng){3, HG_STREAM_TEST}, (uint64_t)ids[i], salt + (uint32_t)c);
}
