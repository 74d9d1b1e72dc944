#include "core/graph/graph.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"

void hg_features_free(hg_features *features)
{
  hg_free(&features->dense);
  hg_free(&features->indptr);
  hg_free(&features->indices);
  hg_free(&features->values);
}

hg_status hg_features_densify(hg_features *features, hg_off n)
{
  hg_features *f = features;
  float *dense = NULL;
  if (!f->indptr) return HG_OK;
  hg_status rc = HG_ALLOC(dense, n * f->width, "dense features"); // zeros
  if (rc != HG_OK) return rc;
#pragma omp parallel for schedule(static) default(none) shared(f, dense, n)
  for (hg_off i = 0; i < n; i++)
    for (hg_off e = f->indptr[i]; e < f->indptr[i + 1]; e++) dense[i * f->width + f->indices[e]] = f->values[e];
  hg_features_free(f);
  f->dense = dense;
  return HG_OK;
}

void hg_nodes_free(hg_nodes *nodes)
{
  hg_features_free(&nodes->features);
  hg_free(&nodes->labels);
  hg_free(&nodes->label_bits);
  hg_free(&nodes->targets);
  hg_free(&nodes->split);
  hg_free(&nodes->positions);
  hg_free(&nodes->original_ids);
  *nodes = (hg_nodes){0};
}

bool hg_nodes_labelled(const hg_nodes *nodes, hg_off i)
{
  if (nodes->labels) return nodes->labels[i] >= 0;
  for (int k = 0; nodes->targets && k < nodes->n_classes; k++)
    if (isnan(nodes->targets[i * nodes->n_classes + k])) return false;
  return true;
}

void hg_graph_free(hg_graph *graph)
{
  hg_csr_free(&graph->adjacency);
  hg_nodes_free(&graph->nodes);
  *graph = (hg_graph){0};
}

hg_status hg_nodes_append_positions(hg_nodes *nodes)
{
  hg_features *f = &nodes->features;
  int dims = nodes->n_dims, width = f->width + dims;
  float *both = NULL;
  if (dims == 0) return hg_fail(HG_ERR_INPUT, "found no positions, expected some to append to the features");
  if (f->indptr)
    return hg_fail(HG_ERR_INPUT, "found sparse features, expected dense ones, or none, to append positions to");
  hg_status rc = HG_ALLOC(both, nodes->n * width, "features and positions");
  if (rc != HG_OK) return rc;
  for (hg_off i = 0; i < nodes->n; i++) {
    float *row = both + i * width;
    for (int k = 0; k < f->width; k++) row[k] = f->dense[i * f->width + k];
    for (int k = 0; k < dims; k++) row[f->width + k] = nodes->positions[i * dims + k];
  }
  hg_free(&f->dense);
  f->dense = both;
  f->width = width;
  return HG_OK;
}

// An array of the graph with its length in bytes, so that size, hash and copy are each one loop over the same list.
typedef struct {
  const void *data;
  size_t bytes;
} array;

enum { N_ARRAYS = 12 };

static array array_of(const void *data, hg_off count, size_t size)
{
  return (array){data, data ? (size_t)count * size : 0};
}

static void list_arrays(const hg_graph *graph, array list[N_ARRAYS])
{
  const hg_csr *a = &graph->adjacency;
  const hg_nodes *nodes = &graph->nodes;
  const hg_features *x = &nodes->features;
  hg_off n = nodes->n, entries = x->indptr ? x->indptr[n] : 0;
  list[0] = array_of(a->indptr, a->n_rows + 1, sizeof *a->indptr);
  list[1] = array_of(a->indices, a->indptr ? a->indptr[a->n_rows] : 0, sizeof *a->indices);
  list[2] = array_of(x->dense, n * x->width, sizeof *x->dense);
  list[3] = array_of(x->indptr, n + 1, sizeof *x->indptr);
  list[4] = array_of(x->indices, entries, sizeof *x->indices);
  list[5] = array_of(x->values, entries, sizeof *x->values);
  list[6] = array_of(nodes->labels, n, sizeof *nodes->labels);
  list[7] = array_of(nodes->label_bits, n * hg_label_bytes(nodes->n_classes), 1);
  list[8] = array_of(nodes->targets, n * nodes->n_classes, sizeof *nodes->targets);
  list[9] = array_of(nodes->split, n, sizeof *nodes->split);
  list[10] = array_of(nodes->positions, n * nodes->n_dims, sizeof *nodes->positions);
  list[11] = array_of(nodes->original_ids, n, sizeof *nodes->original_ids);
}

size_t hg_graph_bytes(const hg_graph *graph)
{
  array list[N_ARRAYS];
  list_arrays(graph, list);
  size_t bytes = 0;
  for (int k = 0; k < N_ARRAYS; k++) bytes += list[k].bytes;
  return bytes;
}

static uint64_t rotate(uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }

// One lane of MurmurHash3 x64 (Appleby 2011): a word of input, then at the end the avalanche.
static uint64_t mix_word(uint64_t hash, uint64_t word)
{
  word = rotate(word * 0x87c37b91114253d5u, 31) * 0x4cf5ad432745937fu;
  return rotate(hash ^ word, 27) * 5 + 0x52dce729u;
}

static uint64_t avalanche(uint64_t hash)
{
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdu;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53u;
  return hash ^ (hash >> 33);
}

static uint64_t mix_bytes(uint64_t hash, const unsigned char *data, size_t bytes)
{
  uint64_t word;
  size_t at = 0;
  for (; at + sizeof word <= bytes; at += sizeof word) {
    memcpy(&word, data + at, sizeof word);
    hash = mix_word(hash, word);
  }
  word = 0;
  if (at < bytes) memcpy(&word, data + at, bytes - at);
  return mix_word(mix_word(hash, word), bytes);
}

uint64_t hg_graph_fingerprint(const hg_graph *graph)
{
  const hg_nodes *nodes = &graph->nodes;
  const int64_t sizes[] = {nodes->n, nodes->features.width, nodes->task, nodes->n_classes, nodes->n_dims};
  array list[N_ARRAYS];
  list_arrays(graph, list);
  uint64_t hash = mix_bytes(0, (const unsigned char *)sizes, sizeof sizes);
  for (int k = 0; k < N_ARRAYS; k++) hash = mix_bytes(hash, list[k].data, list[k].bytes);
  return avalanche(hash);
}

hg_status hg_graph_is_symmetric(const hg_graph *graph, bool *symmetric)
{
  hg_off *places;
  hg_status rc = HG_ALLOC(places, graph->adjacency.n_rows, "symmetry check");
  if (rc != HG_OK) return rc;
  *symmetric = hg_csr_is_symmetric(&graph->adjacency, places);
  hg_free(&places);
  return HG_OK;
}

bool hg_label_known(const hg_nodes *items, hg_off i)
{
  if (items->task == HG_TASK_CLASSES) return items->labels[i] >= 0;
  if (items->task != HG_TASK_REGRESSION) return items->task == HG_TASK_MULTILABEL;
  for (int c = 0; c < items->n_classes; c++)
    if (!isnan(items->targets[i * items->n_classes + c])) return true;
  return false;
}
