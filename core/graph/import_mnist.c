#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/files.h"
#include "core/base/threads.h"
#include "core/graph/idx.h"
#include "core/graph/import_fields.h"
#include "core/graph/region_graph.h"

enum { TRAIN, TEST, N_SETS, PATH_SIZE = 4096 };

typedef struct {
  hg_idx images, labels;
} image_set;

// One thread's working space.
typedef struct {
  hg_slic *slic; // NULL for grids
  hg_region_graph graph;
} worker;

typedef struct {
  const hg_mnist_options *options;
  hg_image_shape shape;
  image_set sets[N_SETS];
  int n_workers;
  worker *workers;    // [n_workers]
  int32_t *labels;    // superpixels: [graphs x pixels] regions; grid: [pixels] each pixel is its own
  hg_collection *out; // graph_ptr holds nodes, indptr edges, of each graph before they are summed up
  hg_off *edge_ptr;   // [graphs + 1]
} builder;

static hg_status find_file(char path[PATH_SIZE], const char *folder, const char *name)
{
  static const char *const ends[] = {"", ".gz"};
  for (size_t k = 0; k < sizeof ends / sizeof *ends; k++) {
    snprintf(path, PATH_SIZE, "%.3900s/%.100s%s", folder, name, ends[k]);
    if (hg_file_exists(path)) return HG_OK;
  }
  return hg_fail(HG_ERR_INPUT, "%.3900s: found no %s, nor with .gz: expected the four idx files of MNIST", folder,
                 name);
}

static hg_status read_set(image_set *set, const char *folder, const char *name, hg_off limit)
{
  hg_status rc = HG_OK;
  char file[64], images[PATH_SIZE], labels[PATH_SIZE];
  snprintf(file, sizeof file, "%s-images-idx3-ubyte", name);
  HG_TRY(find_file(images, folder, file));
  snprintf(file, sizeof file, "%s-labels-idx1-ubyte", name);
  HG_TRY(find_file(labels, folder, file));
  HG_TRY(hg_idx_read(&set->labels, labels, 1, 0));
  HG_TRY(hg_idx_read(&set->images, images, 3, limit));
  if (set->images.total != set->labels.total)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found %" PRId64 " labels, expected %" PRId64 ", the images beside it", labels,
                   set->labels.total, set->images.total));
done:
  return rc;
}

static hg_status read_sets(builder *b, const char *folder)
{
  hg_status rc = HG_OK;
  const hg_mnist_options *o = b->options;
  const hg_idx *train = &b->sets[TRAIN].images, *test = &b->sets[TEST].images;
  HG_TRY(read_set(&b->sets[TRAIN], folder, "train", o->limit));
  HG_TRY(read_set(&b->sets[TEST], folder, "t10k", o->limit));
  if (train->rows != test->rows || train->columns != test->columns)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found t10k images of %d x %d, expected %d x %d as those of train", folder,
                   test->rows, test->columns, train->rows, train->columns));
  b->shape = (hg_image_shape){.width = train->columns, .height = train->rows};
  if (o->kind == HG_IMAGE_SUPERPIXELS && o->superpixels > hg_image_pixels(b->shape))
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: images have %d pixels, expected at least the %d superpixels that are wanted",
                   folder, hg_image_pixels(b->shape), o->superpixels));
  if (o->n_val >= train->count)
    HG_TRY(hg_fail(HG_ERR_INPUT,
                   "%s: found %" PRId64 " training images, expected more than the %" PRId64 " for validation", folder,
                   train->count, o->n_val));
done:
  return rc;
}

// The set and the number therein of graph g: training images first.
static const image_set *set_of(const builder *b, hg_off *g)
{
  if (*g < b->sets[TRAIN].images.count) return &b->sets[TRAIN];
  *g -= b->sets[TRAIN].images.count;
  return &b->sets[TEST];
}

static const uint8_t *pixels_of(const builder *b, hg_off g)
{
  const image_set *set = set_of(b, &g);
  return set->images.bytes + g * hg_image_pixels(b->shape);
}

static hg_status make_items(builder *b)
{
  hg_status rc = HG_OK;
  hg_nodes *items = &b->out->items;
  hg_off n_train = b->sets[TRAIN].images.count, n = n_train + b->sets[TEST].images.count;
  hg_off n_val = b->options->n_val >= 0 ? b->options->n_val : n_train / 12;
  b->out->n_graphs = items->n = n;
  HG_TRY(HG_ALLOC(items->labels, n, "labels"));
  HG_TRY(HG_ALLOC(items->split, n, "split"));
  HG_TRY(HG_ALLOC(items->original_ids, n, "original ids"));
  items->task = HG_TASK_CLASSES;
  for (hg_off g = 0; g < n; g++) {
    hg_off k = g;
    const image_set *set = set_of(b, &k);
    items->labels[g] = set->labels.bytes[k];
    items->original_ids[g] = g < n_train ? g : b->sets[TRAIN].images.total + k;
    items->split[g] = g >= n_train ? HG_SPLIT_TEST : g >= n_train - n_val ? HG_SPLIT_VAL : HG_SPLIT_TRAIN;
  }
  // A limit takes images away, not classes.
  for (int s = 0; s < N_SETS; s++)
    for (hg_off k = 0; k < b->sets[s].labels.count; k++)
      if (items->n_classes <= b->sets[s].labels.bytes[k]) items->n_classes = b->sets[s].labels.bytes[k] + 1;
done:
  return rc;
}

static hg_status make_workers(builder *b)
{
  hg_status rc = HG_OK;
  const hg_mnist_options *o = b->options;
  int pixels = hg_image_pixels(b->shape);
  bool grid = o->kind == HG_IMAGE_GRID;
  hg_region_neighbours neighbours = {.nearest = grid ? 0 : o->nearest, .corners = grid && o->grid_neighbours == 8};
  HG_TRY(HG_ALLOC(b->workers, hg_threads(), "working spaces"));
  b->n_workers = hg_threads();
  HG_TRY(HG_ALLOC(b->labels, pixels * (grid ? 1 : b->out->n_graphs), "regions of the pixels"));
  for (int p = 0; p < pixels; p++) b->labels[p] = p;
  for (int t = 0; t < b->n_workers; t++) {
    worker *w = &b->workers[t];
    if (!grid) HG_TRY(hg_slic_create(&w->slic, b->shape, o->superpixels, o->compactness));
    HG_TRY(hg_region_graph_create(&w->graph, b->shape, grid ? pixels : hg_slic_max_regions(w->slic), neighbours));
    if (grid) hg_region_graph_make(&w->graph, pixels_of(b, 0), b->labels, pixels);
  }
done:
  return rc;
}

// Nodes and edges of graph g, at g + 1 of their arrays.
static void measure(builder *b, worker *w, hg_off g)
{
  const uint8_t *pixels = pixels_of(b, g);
  if (w->slic) {
    int32_t *labels = b->labels + g * hg_image_pixels(b->shape);
    int n = hg_slic_run(w->slic, pixels, labels);
    b->edge_ptr[g + 1] = hg_region_graph_make(&w->graph, pixels, labels, n);
  } else {
    for (int r = 0; r < w->graph.n; r++) b->edge_ptr[g + 1] += w->graph.lengths[r];
  }
  b->out->graph_ptr[g + 1] = w->graph.n;
}

static void fill(builder *b, worker *w, hg_off g)
{
  const uint8_t *pixels = pixels_of(b, g);
  hg_region_graph *from = &w->graph;
  hg_off first = b->out->graph_ptr[g], at = b->edge_ptr[g];
  int n = (int)(b->out->graph_ptr[g + 1] - first);
  hg_graph *to = &b->out->united;
  if (w->slic)
    hg_region_graph_make(from, pixels, b->labels + g * hg_image_pixels(b->shape), n);
  else
    for (int p = 0; p < n; p++) from->intensities[p] = (float)pixels[p] / 255;
  memcpy(to->nodes.features.dense + first, from->intensities, (size_t)n * sizeof *from->intensities);
  memcpy(to->nodes.positions + 2 * first, from->positions, 2 * (size_t)n * sizeof *from->positions);
  for (int r = 0; r < n; r++) {
    const int32_t *row = from->items + from->starts[r];
    for (int k = 0; k < from->lengths[r]; k++) to->adjacency.indices[at++] = (hg_lid)(first + row[k]);
    to->adjacency.indptr[first + r + 1] = at;
  }
}

// Each working space takes a block of the graphs; what is made of a graph depends on nothing else.
static void each_graph(builder *b, void (*work)(builder *, worker *, hg_off))
{
#pragma omp parallel for schedule(static, 1) default(none) shared(b, work) num_threads(b->n_workers)
  for (int t = 0; t < b->n_workers; t++) {
    hg_off first, end;
    hg_block(b->out->n_graphs, b->n_workers, t, &first, &end);
    for (hg_off g = first; g < end; g++) work(b, &b->workers[t], g);
  }
}

static hg_status make_graphs(builder *b, const char *path)
{
  hg_status rc = HG_OK;
  hg_collection *c = b->out;
  hg_nodes *nodes = &c->united.nodes;
  HG_TRY(make_workers(b));
  HG_TRY(HG_ALLOC(c->graph_ptr, c->n_graphs + 1, "graphs"));
  HG_TRY(HG_ALLOC(b->edge_ptr, c->n_graphs + 1, "edges of the graphs"));
  each_graph(b, measure);
  for (hg_off g = 0; g < c->n_graphs; g++) {
    c->graph_ptr[g + 1] += c->graph_ptr[g];
    b->edge_ptr[g + 1] += b->edge_ptr[g];
  }
  nodes->n = c->graph_ptr[c->n_graphs];
  HG_TRY(hg_import_check_nodes(path, nodes->n));
  nodes->features.width = 1, nodes->n_dims = 2;
  HG_TRY(HG_ALLOC(nodes->features.dense, nodes->n, "features"));
  HG_TRY(HG_ALLOC(nodes->positions, 2 * nodes->n, "positions"));
  HG_TRY(hg_csr_create(&c->united.adjacency, nodes->n, nodes->n, b->edge_ptr[c->n_graphs], false, "edges"));
  each_graph(b, fill);
done:
  return rc;
}

static void free_builder(builder *b)
{
  for (int s = 0; s < N_SETS; s++) hg_idx_free(&b->sets[s].images), hg_idx_free(&b->sets[s].labels);
  for (int t = 0; t < b->n_workers; t++) {
    hg_slic_free(&b->workers[t].slic);
    hg_region_graph_free(&b->workers[t].graph);
  }
  hg_free(&b->workers);
  hg_free(&b->labels);
  hg_free(&b->edge_ptr);
}

hg_status hg_import_mnist(hg_imported *out, const char *path, const hg_import_options *options,
                          hg_import_report *report)
{
  hg_status rc = HG_OK;
  builder b = {.options = &options->mnist, .out = &out->collection};
  out->is_collection = true;
  HG_TRY(read_sets(&b, path));
  HG_TRY(make_items(&b));
  HG_TRY(make_graphs(&b, path));
  report->build.edges_in = hg_csr_entries(&b.out->united.adjacency);
  for (hg_off i = 0; i < b.out->united.nodes.n; i++)
    report->build.isolated += b.out->united.adjacency.indptr[i] == b.out->united.adjacency.indptr[i + 1];
done:
  free_builder(&b);
  return rc;
}
