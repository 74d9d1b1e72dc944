#include "tests/mpi/plain_model.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/graph/store.h"
#include "core/tensor/norms.h"
#include "tests/support/mpi_case.h"

enum { MOST_LAYERS = 8 };

typedef struct {
  hg_off rows, cols;
  double *data;
} table;

typedef struct {
  bool last, residual, bias;
  hg_layer_norm_kind norm;
  hg_off f_in, f_out, first; ///< first: its parameters' place in the flat array
  table mask, x;             ///< [n x f_in] of dropout, scaled; the input under dropout
  table s;                   ///< [n x f_in] A x, or x
  table xhat;                ///< [n x f_out] normalised, or z
  table y;                   ///< [n x f_out] before the activation
  double *inv_std;           ///< [n] layer norm, [f_out] batch norm
  hg_off labels;             ///< place of [classes x f_out] that labels shown are multiplied with; 0: none are
} layer;

struct plain_model {
  const hg_model_options *options;
  hg_graph graph;
  table a; ///< [n x n] normalised, the identity for mlp
  table d, d_s, d_x;
  table shown, label_sums; ///< [n x classes] one-hot, and A times it
  hg_off n, n_parameters;
  int n_layers;
  layer layers[MOST_LAYERS];
};

static hg_status table_create(table *t, hg_off rows, hg_off cols)
{
  *t = (table){rows, cols, NULL};
  return HG_ALLOC(t->data, rows * cols, "plain loops");
}

static table shaped(table t, hg_off rows, hg_off cols) { return (table){rows, cols, t.data}; }

static double at(const table *t, bool transposed, hg_off i, hg_off k)
{
  return transposed ? t->data[k * t->cols + i] : t->data[i * t->cols + k];
}

// c = op(a) op(b)
static void multiply(const table *a, bool transpose_a, const table *b, bool transpose_b, table *c)
{
  hg_off inner = transpose_a ? a->rows : a->cols;
  memset(c->data, 0, (size_t)(c->rows * c->cols) * sizeof *c->data);
  for (hg_off i = 0; i < c->rows; i++) {
    for (hg_off t = 0; t < inner; t++) {
      double factor = at(a, transpose_a, i, t);
      if (factor == 0) continue; // most of the adjacency
      for (hg_off k = 0; k < c->cols; k++) c->data[i * c->cols + k] += factor * at(b, transpose_b, t, k);
    }
  }
}

static hg_status make_adjacency(plain_model *m)
{
  const hg_csr *csr = &m->graph.adjacency;
  const hg_model_options *o = m->options;
  double *degree = NULL;
  hg_status rc = HG_OK;
  HG_TRY(table_create(&m->a, m->n, m->n));
  HG_TRY(HG_ALLOC(degree, m->n, "degrees"));
  for (hg_off i = 0; i < m->n; i++) {
    degree[i] = (double)(csr->indptr[i + 1] - csr->indptr[i]) + (o->self_loops ? 1 : 0);
    for (hg_off e = csr->indptr[i]; e < csr->indptr[i + 1]; e++) m->a.data[i * m->n + csr->indices[e]] = 1;
    if (o->self_loops) m->a.data[i * m->n + i] = 1;
  }
  for (hg_off e = 0; e < m->n * m->n && o->normalization != HG_ADJACENCY_SUM; e++) {
    double left = degree[e / m->n], right = o->normalization == HG_ADJACENCY_ROW ? left : degree[e % m->n];
    if (m->a.data[e] != 0) m->a.data[e] = left > 0 && right > 0 ? 1 / sqrt(left * right) : 0;
  }
done:
  hg_free(&degree);
  return rc;
}

static hg_status make_layer(plain_model *m, int l, hg_off f_in)
{
  const hg_model_options *o = m->options;
  layer *y = &m->layers[l];
  hg_status rc = HG_OK;
  y->last = l == m->n_layers - 1;
  y->f_in = f_in;
  y->f_out = y->last ? m->graph.nodes.n_classes : o->hidden;
  y->residual = o->residual && l > 0 && !y->last && f_in == y->f_out;
  y->norm = y->last ? HG_LAYER_NORM_NONE : o->norm;
  y->bias = o->bias && y->norm != HG_LAYER_NORM_BATCH;
  y->first = m->n_parameters;
  m->n_parameters += f_in * y->f_out + (y->bias ? y->f_out : 0) + (y->norm != HG_LAYER_NORM_NONE ? 2 * y->f_out : 0);
  if (l == 0 && o->label_rate > 0) {
    y->labels = m->n_parameters;
    m->n_parameters += m->graph.nodes.n_classes * y->f_out;
  }
  HG_TRY(table_create(&y->mask, m->n, f_in));
  HG_TRY(table_create(&y->x, m->n, f_in));
  HG_TRY(table_create(&y->s, m->n, f_in));
  HG_TRY(table_create(&y->xhat, m->n, y->f_out));
  HG_TRY(table_create(&y->y, m->n, y->f_out));
  HG_TRY(HG_ALLOC(y->inv_std, m->n + y->f_out, "deviations"));
done:
  return rc;
}

static hg_status fill(plain_model *m, const char *path, const hg_model_options *options)
{
  hg_off widest = 0;
  hg_status rc = HG_OK;
  m->options = options;
  m->n_layers = options->layers;
  HG_TRY(hg_store_read_graph(path, &m->graph));
  m->n = m->graph.nodes.n;
  HG_TRY(make_adjacency(m));
  for (int l = 0; l < m->n_layers; l++) {
    HG_TRY(make_layer(m, l, l ? m->layers[l - 1].f_out : m->graph.nodes.features.width));
    if (m->layers[l].f_in > widest) widest = m->layers[l].f_in;
    if (m->layers[l].f_out > widest) widest = m->layers[l].f_out;
  }
  HG_TRY(table_create(&m->shown, m->n, m->graph.nodes.n_classes));
  HG_TRY(table_create(&m->label_sums, m->n, m->graph.nodes.n_classes));
  HG_TRY(table_create(&m->d, m->n, widest));
  HG_TRY(table_create(&m->d_s, m->n, widest));
  HG_TRY(table_create(&m->d_x, m->n, widest));
done:
  return rc;
}

plain_model *plain_model_create(const char *path, const hg_model_options *options)
{
  plain_model *m = NULL;
  if (!check(options->layers <= MOST_LAYERS, "%d layers", options->layers)) return NULL;
  if (check_ok(HG_ALLOC(m, 1, "plain model")) && check_ok(fill(m, path, options))) return m;
  plain_model_free(m);
  return NULL;
}

void plain_model_free(plain_model *m)
{
  if (!m) return;
  table *tables[] = {&m->a, &m->d, &m->d_s, &m->d_x, &m->shown, &m->label_sums};
  for (int k = 0; k < 6; k++) hg_free(&tables[k]->data);
  for (layer *y = m->layers; y < m->layers + MOST_LAYERS; y++) {
    table *own[] = {&y->mask, &y->x, &y->s, &y->xhat, &y->y};
    for (int k = 0; k < 5; k++) hg_free(&own[k]->data);
    hg_free(&y->inv_std);
  }
  hg_graph_free(&m->graph);
  hg_free(&m);
}

hg_off plain_model_parameters(const plain_model *m) { return m->n_parameters; }

// What ones become under this layer's dropout.
static void draw_mask(plain_model *m, int l, uint64_t seed, int epoch)
{
  layer *y = &m->layers[l];
  double rate = l ? m->options->dropout : m->options->input_dropout;
  hg_matrix ones;
  if (!check_ok(hg_matrix_create(&ones, m->n, (int)y->f_in, "mask"))) return;
  for (hg_off e = 0; e < m->n * y->f_in; e++) ones.data[e] = 1;
  hg_dropout_apply((hg_dropout){seed, epoch, l, rate}, m->graph.nodes.original_ids, &ones);
  for (hg_off e = 0; e < m->n * y->f_in; e++) y->mask.data[e] = (double)ones.data[e];
  hg_matrix_free(&ones);
}

// Training nodes that show their labels in this epoch.
static void show_labels(plain_model *m, uint64_t seed, int epoch)
{
  const hg_nodes *nodes = &m->graph.nodes;
  const hg_rng rng = {seed, HG_STREAM_LABELS | (uint32_t)epoch << 8};
  memset(m->shown.data, 0, (size_t)(m->n * m->shown.cols) * sizeof *m->shown.data);
  for (hg_off i = 0; i < m->n; i++)
    if (nodes->split[i] == HG_SPLIT_TRAIN && nodes->labels[i] >= 0 &&
        hg_rng_uniform(rng, (uint64_t)nodes->original_ids[i], 0) < m->options->label_rate)
      m->shown.data[i * m->shown.cols + nodes->labels[i]] = 1;
  multiply(&m->a, false, &m->shown, false, &m->label_sums);
}

static bool shows_label(const plain_model *m, hg_off i)
{
  hg_lid label = m->graph.nodes.labels[i];
  return label >= 0 && m->shown.data[i * m->shown.cols + label] > 0;
}

// Of sparse features the mask's column is the entry's place in its row.
static void load_features(plain_model *m)
{
  const hg_features *f = &m->graph.nodes.features;
  layer *y = &m->layers[0];
  for (hg_off e = 0; f->dense && e < m->n * y->f_in; e++) y->x.data[e] = (double)f->dense[e] * y->mask.data[e];
  if (f->dense) return;
  memset(y->x.data, 0, (size_t)(m->n * y->f_in) * sizeof *y->x.data);
  for (hg_off i = 0; i < m->n; i++)
    for (hg_off e = f->indptr[i]; e < f->indptr[i + 1]; e++)
      y->x.data[i * y->f_in + f->indices[e]] = (double)f->values[e] * y->mask.data[i * y->f_in + e - f->indptr[i]];
}

static double activated(hg_activation kind, double y)
{
  if (kind == HG_ACTIVATION_NONE || y > 0) return y;
  return kind == HG_ACTIVATION_RELU ? 0 : expm1(y);
}

static double slope(hg_activation kind, double y)
{
  if (kind == HG_ACTIVATION_NONE || y > 0) return 1;
  return kind == HG_ACTIVATION_RELU ? 0 : exp(y);
}

static hg_activation activation_of(const plain_model *m, const layer *y)
{
  return y->last ? HG_ACTIVATION_NONE : m->options->activation;
}

// Numbers that share a mean: rows for layer norm, columns for batch norm.
static double *element(const layer *y, double *data, hg_off group, hg_off k)
{
  return y->norm == HG_LAYER_NORM_LAYER ? data + group * y->f_out + k : data + k * y->f_out + group;
}

static hg_off groups_of(const plain_model *m, const layer *y)
{
  return y->norm == HG_LAYER_NORM_NONE ? 0 : y->norm == HG_LAYER_NORM_LAYER ? m->n : y->f_out;
}

static void normalise(const plain_model *m, layer *y)
{
  hg_off size = y->norm == HG_LAYER_NORM_LAYER ? y->f_out : m->n;
  for (hg_off g = 0; g < groups_of(m, y); g++) {
    double mean = 0, variance = 0;
    for (hg_off k = 0; k < size; k++) mean += *element(y, y->xhat.data, g, k) / (double)size;
    for (hg_off k = 0; k < size; k++) variance += pow(*element(y, y->xhat.data, g, k) - mean, 2) / (double)size;
    y->inv_std[g] = 1 / sqrt(variance + HG_NORM_EPSILON);
    for (hg_off k = 0; k < size; k++) {
      double *x = element(y, y->xhat.data, g, k);
      *x = (*x - mean) * y->inv_std[g];
    }
  }
}

// d of y becomes d of z: inv_std (g - mean(g) - xhat mean(g xhat)), g = gamma d
static void normalise_gradient(const plain_model *m, layer *y, const double *gamma, double *d)
{
  hg_off size = y->norm == HG_LAYER_NORM_LAYER ? y->f_out : m->n;
  for (hg_off e = 0; y->norm != HG_LAYER_NORM_NONE && e < m->n * y->f_out; e++) d[e] *= gamma[e % y->f_out];
  for (hg_off g = 0; g < groups_of(m, y); g++) {
    double mean = 0, along = 0;
    for (hg_off k = 0; k < size; k++) {
      mean += *element(y, d, g, k) / (double)size;
      along += *element(y, d, g, k) * *element(y, y->xhat.data, g, k) / (double)size;
    }
    for (hg_off k = 0; k < size; k++) {
      double *x = element(y, d, g, k);
      *x = y->inv_std[g] * (*x - mean - *element(y, y->xhat.data, g, k) * along);
    }
  }
}

static void forward(plain_model *m, layer *y, const double *theta)
{
  const double *bias = theta + y->first + y->f_in * y->f_out, *gamma = bias + (y->bias ? y->f_out : 0);
  const table w = {y->f_in, y->f_out, (double *)(uintptr_t)(theta + y->first)};
  if (strcmp(m->options->type, "gcn") == 0)
    multiply(&m->a, false, &y->x, false, &y->s);
  else
    memcpy(y->s.data, y->x.data, (size_t)(m->n * y->f_in) * sizeof *y->s.data);
  multiply(&y->s, false, &w, false, &y->xhat);
  for (hg_off e = 0; e < m->n * y->f_out; e++)
    y->xhat.data[e] += (y->bias ? bias[e % y->f_out] : 0) + (y->residual ? y->x.data[e] : 0);
  for (hg_off e = 0; y->labels > 0 && e < m->n * y->f_out; e++)
    for (hg_off c = 0; c < m->label_sums.cols; c++)
      y->xhat.data[e] +=
          m->label_sums.data[e / y->f_out * m->label_sums.cols + c] * theta[y->labels + c * y->f_out + e % y->f_out];
  normalise(m, y);
  bool norm = y->norm != HG_LAYER_NORM_NONE;
  for (hg_off e = 0; e < m->n * y->f_out; e++) {
    hg_off k = e % y->f_out;
    y->y.data[e] = norm ? gamma[k] * y->xhat.data[e] + gamma[y->f_out + k] : y->xhat.data[e];
  }
}

// From d, the gradient of the layer's output: its parameters' gradients, and in d that of the input before dropout.
static void backward(plain_model *m, layer *y, const double *theta, double *gradient)
{
  table d = shaped(m->d, m->n, y->f_out), d_s = shaped(m->d_s, m->n, y->f_in), d_x = shaped(m->d_x, m->n, y->f_in);
  hg_off bias = y->first + y->f_in * y->f_out, gamma = bias + (y->bias ? y->f_out : 0);
  const table w = {y->f_in, y->f_out, (double *)(uintptr_t)(theta + y->first)};
  table d_w = {y->f_in, y->f_out, gradient + y->first};
  for (hg_off e = 0; e < m->n * y->f_out; e++) d.data[e] *= slope(activation_of(m, y), y->y.data[e]);
  for (hg_off e = 0; y->norm != HG_LAYER_NORM_NONE && e < m->n * y->f_out; e++) {
    gradient[gamma + e % y->f_out] += d.data[e] * y->xhat.data[e];
    gradient[gamma + y->f_out + e % y->f_out] += d.data[e];
  }
  normalise_gradient(m, y, theta + gamma, d.data);
  for (hg_off e = 0; y->bias && e < m->n * y->f_out; e++) gradient[bias + e % y->f_out] += d.data[e];
  table d_labels = {m->label_sums.cols, y->f_out, gradient + y->labels};
  if (y->labels > 0) multiply(&m->label_sums, true, &d, false, &d_labels);
  multiply(&y->s, true, &d, false, &d_w);
  multiply(&d, false, &w, true, &d_s);
  if (strcmp(m->options->type, "gcn") == 0)
    multiply(&m->a, true, &d_s, false, &d_x);
  else
    memcpy(d_x.data, d_s.data, (size_t)(m->n * y->f_in) * sizeof *d_x.data);
  for (hg_off e = 0; e < m->n * y->f_in; e++) {
    double through = d_x.data[e] + (y->residual ? d.data[e] : 0);
    m->d.data[e] = through * y->mask.data[e];
  }
}

// The mean cross entropy of the training nodes that do not show their labels; its gradient in d.
static double cross_entropy(plain_model *m)
{
  const hg_nodes *nodes = &m->graph.nodes;
  const table z = m->layers[m->n_layers - 1].y;
  double loss = 0, count = 0;
  memset(m->d.data, 0, (size_t)(m->n * z.cols) * sizeof *m->d.data);
  for (hg_off i = 0; i < m->n; i++)
    count += nodes->split[i] == HG_SPLIT_TRAIN && nodes->labels[i] >= 0 && !shows_label(m, i) ? 1 : 0;
  for (hg_off i = 0; i < m->n; i++) {
    const double *row = z.data + i * z.cols;
    double sum = 0;
    if (nodes->split[i] != HG_SPLIT_TRAIN || nodes->labels[i] < 0 || shows_label(m, i)) continue;
    for (hg_off c = 0; c < z.cols; c++) sum += exp(row[c]);
    for (hg_off c = 0; c < z.cols; c++)
      m->d.data[i * z.cols + c] = (exp(row[c]) / sum - (c == nodes->labels[i] ? 1 : 0)) / count;
    loss += (log(sum) - row[nodes->labels[i]]) / count;
  }
  return loss;
}

double plain_model_loss(plain_model *m, const hg_real *theta, uint64_t seed, int epoch, double *gradient)
{
  double *weights = NULL, loss = NAN;
  if (!check_ok(HG_ALLOC(weights, m->n_parameters, "weights"))) return loss;
  for (hg_off k = 0; k < m->n_parameters; k++) weights[k] = (double)theta[k];
  memset(gradient, 0, (size_t)m->n_parameters * sizeof *gradient);
  show_labels(m, seed, epoch);
  for (int l = 0; l < m->n_layers; l++) {
    layer *y = &m->layers[l], *before = y - 1;
    draw_mask(m, l, seed, epoch);
    if (l == 0) load_features(m);
    for (hg_off e = 0; l > 0 && e < m->n * y->f_in; e++)
      y->x.data[e] = activated(activation_of(m, before), before->y.data[e]) * y->mask.data[e];
    forward(m, y, weights);
  }
  loss = cross_entropy(m);
  for (int l = m->n_layers - 1; l >= 0; l--) backward(m, &m->layers[l], weights, gradient);
  hg_free(&weights);
  return loss;
}
