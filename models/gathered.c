#include "models/gathered.h"

#include "core/base/cpu.h"
#include "core/base/threads.h"
#include "core/tensor/nonzero.h"
#include "core/tensor/row_blocks.h"

// Of the numbers that dropout leaves, those that find room: relu leaves half of them at first, and up to nine tenths
// when a model has learned.
static const double usual = 0.9;

// A matrix that no cache holds, so that gathering waits for memory, and rows that are worth a copy.
static const double least_bytes = 512 << 20, most_of_row = 0.6;

static bool can_gather(const hg_model *model, const hg_layer *layer)
{
  bool same_rows = layer->index > 0 && layer->stage == (layer - 1)->stage; // not pooled
  return same_rows && layer->type->can_gather && layer->aggregate_first && !layer->rounds && layer->turned_width == 0 &&
         !(layer - 1)->streams && model->n_stages == 1;
}

// whether less memory is read, by instructions that open a register of numbers at once
static bool pays(const hg_layer *layer, double share)
{
  double row = layer->f_in * (double)sizeof(hg_real), closed = (double)hg_nonzero_mask_bytes(layer->f_in) + share * row;
  bool opens = hg_simd_level() == HG_SIMD_AVX512 && sizeof(hg_real) == sizeof(float);
  return opens && (double)layer->graph->n_local * row >= least_bytes && closed <= most_of_row * row;
}

void hg_gathered_plan(hg_model *model)
{
  const hg_model_options *o = &model->options;
  double share = (o->activation == HG_ACTIVATION_RELU ? usual : 1) * (1 - o->dropout);
  for (int l = 1; l < model->n_layers; l++) {
    hg_layer *layer = &model->layers[l];
    bool wanted =
        o->skip_zeros == HG_GATHER_NONZERO_ALWAYS || (o->skip_zeros == HG_GATHER_NONZERO_AUTO && pays(layer, share));
    if (share >= 1 || !wanted || !can_gather(model, layer)) continue;
    layer->gathered_share = share;
    (layer - 1)->closes_output = true;
  }
}

size_t hg_gathered_bytes(const hg_layer *layer)
{
  if (layer->gathered_share <= 0) return 0;
  return hg_nonzero_matrix_bytes(layer->graph->n_local, layer->f_in, layer->gathered_share);
}

static hg_nonzero_matrix copy_of(const hg_layer *layer, const hg_matrix *x)
{
  return hg_nonzero_matrix_of(x, layer->gathered_share, layer->work->nonzero[layer->index % 2]);
}

static void over_blocks(const hg_nonzero_matrix *m, hg_off first, hg_off n,
                        void (*work)(const hg_nonzero_matrix *m, hg_off first, hg_off n))
{
#pragma omp parallel for schedule(static) default(none) shared(m, first, n, work) \
    num_threads(hg_threads()) if (n * m->cols > HG_PARALLEL_FROM)
  for (hg_off i = 0; i < n; i += HG_BLOCK_ROWS) work(m, first + i, n - i < HG_BLOCK_ROWS ? n - i : HG_BLOCK_ROWS);
}

// rows that a pass makes are closed later, the others not
static void forget_unmade(const hg_nonzero_matrix *m, const hg_local_graph *graph, hg_off made)
{
  hg_off first = graph->rows ? 0 : made;
  over_blocks(m, first, m->rows - first, hg_nonzero_matrix_forget);
}

void hg_gathered_begin(const hg_layer *layer)
{
  if (!layer->closes_output) return;
  const hg_nonzero_matrix m = copy_of(layer + 1, &layer[1].x);
  forget_unmade(&m, layer->graph, hg_layer_rows(layer));
}

void hg_gathered_close(const hg_layer *layer, hg_off first, hg_off n)
{
  const hg_nonzero_matrix m = copy_of(layer + 1, &layer[1].x);
  hg_nonzero_matrix_close(&m, first, n);
}

hg_nonzero_matrix hg_gathered_input(const hg_layer *layer, const hg_pass *pass, const hg_matrix *x)
{
  if (!pass->training || layer->gathered_share <= 0) return (hg_nonzero_matrix){0};
  return copy_of(layer, x);
}

// A norm's gradient has no zeros, nor has the last layer's.
hg_nonzero_matrix hg_gathered_gradient(const hg_layer *layer, const hg_matrix *d_z)
{
  bool zeros = layer->norm == HG_LAYER_NORM_NONE && layer->drops_output;
  if (layer->gathered_share <= 0 || !zeros) return (hg_nonzero_matrix){0};
  const hg_nonzero_matrix m = copy_of(layer, d_z);
  const hg_spans made = hg_local_graph_made(layer->graph, d_z->rows);
  forget_unmade(&m, layer->graph, d_z->rows);
  for (int s = 0; s < made.n; s++) over_blocks(&m, made.span[s].first, made.span[s].n, hg_nonzero_matrix_close);
  return m;
}
