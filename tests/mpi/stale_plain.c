#include "tests/mpi/stale_plain.h"

#include <math.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/graph/store.h"
#include "runtime/train/feed_graph.h"
#include "tests/support/mpi_case.h"

enum { MOST_LAYERS = 8 };

// All [n x f]. Aggregated, and so exchanged, is x W where that is narrower than x, else x.
typedef struct {
  int f_in, f_out, f; // f: of what is aggregated
  bool narrow, first;
  hg_off parameters;                    // where they begin
  double *mask, *x, *s, *z;             // of dropout, scaled; the input under it; A x; the output before relu
  double *now, *before, *used;          // what is aggregated in this epoch, in the last one, and what other parts read
  double *remote, *remote_last, *added; // its gradient from other parts, in this epoch and the last one; what is added
  double *d;                            // [n x f_out] gradient of z
} layer;

struct stale_plain {
  const hg_trainer *trainer;
  hg_graph graph;
  hg_off n;
  double *a, *owner; // [n x n] normalised; [n] whose part
  double *work;      // [n x widest]
  int epoch, n_layers;
  layer layers[MOST_LAYERS];
};

static hg_status make_adjacency(stale_plain *m)
{
  const hg_csr *csr = &m->graph.adjacency;
  hg_off n = m->n;
  double *degree = NULL;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(m->a, n * n, "adjacency"));
  HG_TRY(HG_ALLOC(degree, n, "degrees"));
  for (hg_off i = 0; i < n; i++) {
    degree[i] = (double)(csr->indptr[i + 1] - csr->indptr[i]) + 1;
    for (hg_off e = csr->indptr[i]; e < csr->indptr[i + 1]; e++) m->a[i * n + csr->indices[e]] = 1;
    m->a[i * n + i] = 1;
  }
  for (hg_off e = 0; e < n * n; e++) m->a[e] /= sqrt(degree[e / n] * degree[e % n]);
done:
  hg_free(&degree);
  return rc;
}

// original ids are 1000 + 3 x the place in the file
static hg_status find_owners(stale_plain *m)
{
  const hg_part *part = &hg_graph_feed_of(m->trainer)->dataset.part;
  hg_status rc = HG_ALLOC(m->owner, m->n, "owners");
  for (hg_lid i = 0; rc == HG_OK && i < part->n_owned; i++)
    m->owner[(part->nodes.original_ids[i] - 1000) / 3] = hg_world_rank(m->trainer->world);
  return rc;
}

static hg_status make_layer(stale_plain *m, const hg_layer *of)
{
  layer *y = &m->layers[of->index];
  hg_off n = m->n;
  int widest = of->f_in > of->f_out ? of->f_in : of->f_out;
  double **arrays[] = {&y->mask, &y->x,      &y->s,           &y->z,     &y->now, &y->before,
                       &y->used, &y->remote, &y->remote_last, &y->added, &y->d};
  hg_status rc = HG_OK;
  y->f_in = of->f_in;
  y->f_out = of->f_out;
  y->first = of->index == 0;
  y->narrow = of->f_out < of->f_in;
  y->f = y->narrow ? of->f_out : of->f_in;
  y->parameters = of->theta - m->trainer->model.parameters;
  for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) HG_TRY(HG_ALLOC(*arrays[k], n * widest, "plain loops"));
done:
  return rc;
}

static hg_status fill(stale_plain *m)
{
  const hg_model *model = &m->trainer->model;
  hg_status rc = HG_OK;
  int widest = 1;
  m->n_layers = model->n_layers;
  HG_TRY(hg_store_read_graph(m->trainer->config->dataset.path, &m->graph));
  m->n = m->graph.nodes.n;
  HG_TRY(make_adjacency(m));
  HG_TRY(find_owners(m));
  for (int l = 0; l < m->n_layers; l++) {
    HG_TRY(make_layer(m, &model->layers[l]));
    if (m->layers[l].f_in > widest) widest = m->layers[l].f_in;
  }
  HG_TRY(HG_ALLOC(m->work, m->n * widest, "plain loops"));
done:
  return rc;
}

stale_plain *stale_plain_create(const hg_trainer *trainer)
{
  stale_plain *m = NULL;
  if (!check_ok(HG_ALLOC(m, 1, "plain model"))) return NULL;
  m->trainer = trainer;
  bool fine = check(trainer->model.n_layers <= MOST_LAYERS, "%d layers", trainer->model.n_layers) && check_ok(fill(m));
  if (fine) hg_sum_doubles(trainer->world, m->owner, (int)m->n);
  if (fine) return m;
  stale_plain_free(m);
  return NULL;
}

void stale_plain_free(stale_plain *m)
{
  if (!m) return;
  for (layer *y = m->layers; y < m->layers + MOST_LAYERS; y++) {
    double **arrays[] = {&y->mask, &y->x,      &y->s,           &y->z,     &y->now, &y->before,
                         &y->used, &y->remote, &y->remote_last, &y->added, &y->d};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) hg_free(arrays[k]);
  }
  hg_graph_free(&m->graph);
  hg_free(&m->a), hg_free(&m->owner), hg_free(&m->work);
  hg_free(&m);
}

static void draw_mask(stale_plain *m, int l)
{
  layer *y = &m->layers[l];
  const hg_model_options *o = &m->trainer->config->model;
  hg_matrix ones;
  if (!check_ok(hg_matrix_create(&ones, m->n, y->f_in, "mask"))) return;
  for (hg_off e = 0; e < m->n * y->f_in; e++) ones.data[e] = 1;
  const hg_dropout dropout = {m->trainer->config->seed, m->epoch, l, l ? o->dropout : o->input_dropout};
  hg_dropout_apply(dropout, m->graph.nodes.original_ids, &ones);
  for (hg_off e = 0; e < m->n * y->f_in; e++) y->mask[e] = (double)ones.data[e];
  hg_matrix_free(&ones);
}

// out[i,:] = sum over j of A_ij c_j, of the same part's rows of `mine` and other parts' rows of `theirs`
static void aggregate(const stale_plain *m, int f, const double *mine, const double *theirs, double *out)
{
  memset(out, 0, (size_t)(m->n * f) * sizeof *out);
  for (hg_off e = 0; e < m->n * m->n; e++) {
    hg_off i = e / m->n, j = e % m->n;
    const double *from = m->owner[i] == m->owner[j] ? mine : theirs;
    for (int c = 0; from && m->a[e] != 0 && c < f; c++) out[i * f + c] += m->a[e] * from[j * f + c];
  }
}

// out = x W
static void multiply(const stale_plain *m, const layer *y, const hg_real *theta, const double *x, double *out)
{
  const hg_real *w = theta + y->parameters;
  memset(out, 0, (size_t)(m->n * y->f_out) * sizeof *out);
  for (hg_off i = 0; i < m->n; i++)
    for (int k = 0; k < y->f_in; k++)
      for (int c = 0; c < y->f_out; c++) out[i * y->f_out + c] += x[i * y->f_in + k] * (double)w[k * y->f_out + c];
}

// out = d W'
static void multiply_back(const stale_plain *m, const layer *y, const hg_real *theta, const double *d, double *out)
{
  const hg_real *w = theta + y->parameters;
  for (hg_off i = 0; i < m->n; i++)
    for (int k = 0; k < y->f_in; k++) {
      out[i * y->f_in + k] = 0;
      for (int c = 0; c < y->f_out; c++) out[i * y->f_in + k] += d[i * y->f_out + c] * (double)w[k * y->f_out + c];
    }
}

// d_W = x' d
static void weight_gradient(const stale_plain *m, const layer *y, const double *x, const double *d, double *gradient)
{
  for (hg_off i = 0; i < m->n; i++)
    for (int k = 0; k < y->f_in; k++)
      for (int c = 0; c < y->f_out; c++)
        gradient[y->parameters + k * y->f_out + c] += x[i * y->f_in + k] * d[i * y->f_out + c];
}

// new + (old - new) share, or new in the first two epochs
static void mix(const stale_plain *m, const layer *y, double share, const double *new, double *old)
{
  for (hg_off e = 0; e < m->n * y->f; e++) old[e] = m->epoch <= 2 ? new[e] : share *old[e] + (1 - share) * new[e];
}

static void forward(stale_plain *m, layer *y, const hg_real *theta)
{
  size_t bytes = (size_t)(m->n * y->f) * sizeof(double);
  const hg_real *bias = theta + y->parameters + y->f_in * y->f_out;
  memcpy(y->before, y->now, bytes);
  if (y->narrow)
    multiply(m, y, theta, y->x, y->now);
  else
    memcpy(y->now, y->x, bytes);
  if (m->epoch == 1 || y->first)
    memcpy(y->used, y->now, bytes);
  else
    mix(m, y, m->trainer->config->model.halo.staleness.feature_smoothing, y->before, y->used);
  aggregate(m, y->f, y->now, y->used, y->narrow ? y->z : y->s);
  if (!y->narrow) multiply(m, y, theta, y->s, y->z);
  for (hg_off e = 0; e < m->n * y->f_out; e++) y->z[e] += (double)bias[e % y->f_out];
}

// A' of what the same part's rows send back, and of other parts' rows to y->remote. A is symmetric.
static void aggregate_back(stale_plain *m, layer *y, const double *d, double *own)
{
  memcpy(y->remote_last, y->remote, (size_t)(m->n * y->f) * sizeof *y->remote);
  aggregate(m, y->f, d, NULL, own);
  aggregate(m, y->f, NULL, d, y->remote);
}

// Adds the gradient from other parts: of the last epoch, but in the first.
static void add_arrived(const stale_plain *m, layer *y, double *to)
{
  bool fresh = m->epoch == 1 || y->first;
  double share = m->trainer->config->model.halo.staleness.gradient_smoothing;
  if (!fresh) mix(m, y, share, y->remote_last, y->added);
  for (hg_off e = 0; e < m->n * y->f; e++) to[e] += fresh ? y->remote[e] : y->added[e];
}

// the factor of a gradient through the activation and dropout that made x, with its factor where it was not dropped
static double factor(const stale_plain *m, double x, double scale)
{
  if (x == 0) return 0;
  if (m->trainer->config->model.activation == HG_ACTIVATION_ELU) return x > 0 ? scale : scale * (x / scale + 1);
  return scale;
}

static double activated(const stale_plain *m, double z)
{
  return z > 0 ? z : m->trainer->config->model.activation == HG_ACTIVATION_ELU ? expm1(z) : 0;
}

// From y->d the parameters' gradients, and the gradient of the layer below's z to its d
static void backward(stale_plain *m, layer *y, const hg_real *theta, double *gradient)
{
  double *own = m->work, *below = y->first ? NULL : (y - 1)->d;
  hg_off bias = y->parameters + y->f_in * y->f_out, n = m->n;
  for (hg_off e = 0; e < n * y->f_out; e++) gradient[bias + e % y->f_out] += y->d[e];
  if (y->narrow) {
    aggregate_back(m, y, y->d, own);
    add_arrived(m, y, own);
    weight_gradient(m, y, y->x, own, gradient);
    if (!below) return;
    multiply_back(m, y, theta, own, below);
    for (hg_off e = 0; e < n * y->f_in; e++) below[e] *= factor(m, y->x[e], y->mask[e]);
    return;
  }
  weight_gradient(m, y, y->s, y->d, gradient);
  if (!below) return;
  double *d_s = y->s;
  multiply_back(m, y, theta, y->d, d_s);
  aggregate_back(m, y, d_s, own);
  const hg_dropout dropout = {.rate = m->trainer->config->model.dropout};
  double scale = (double)hg_dropout_scale(dropout);
  for (hg_off e = 0; e < n * y->f; e++) {
    y->remote[e] *= factor(m, m->epoch == 1 ? y->now[e] : y->before[e], scale); // of the values that were read
    below[e] = own[e] * factor(m, y->x[e], y->mask[e]);
  }
  add_arrived(m, y, below);
}

static double cross_entropy(stale_plain *m)
{
  const hg_nodes *nodes = &m->graph.nodes;
  layer *y = &m->layers[m->n_layers - 1];
  double loss = 0, count = 0;
  memset(y->d, 0, (size_t)(m->n * y->f_out) * sizeof *y->d);
  for (hg_off i = 0; i < m->n; i++) count += nodes->split[i] == HG_SPLIT_TRAIN && nodes->labels[i] >= 0 ? 1 : 0;
  for (hg_off i = 0; i < m->n; i++) {
    const double *row = y->z + i * y->f_out;
    double sum = 0;
    if (nodes->split[i] != HG_SPLIT_TRAIN || nodes->labels[i] < 0) continue;
    for (int c = 0; c < y->f_out; c++) sum += exp(row[c]);
    for (int c = 0; c < y->f_out; c++)
      y->d[i * y->f_out + c] = (exp(row[c]) / sum - (c == nodes->labels[i] ? 1 : 0)) / count;
    loss += (log(sum) - row[nodes->labels[i]]) / count;
  }
  return loss;
}

double stale_plain_epoch(stale_plain *m, const hg_real *theta, double *gradient)
{
  const hg_features *features = &m->graph.nodes.features;
  memset(gradient, 0, (size_t)m->trainer->model.n_parameters * sizeof *gradient);
  m->epoch++;
  for (int l = 0; l < m->n_layers; l++) {
    layer *y = &m->layers[l];
    draw_mask(m, l);
    for (hg_off e = 0; e < m->n * y->f_in; e++) {
      double input = l ? activated(m, (y - 1)->z[e]) : (double)features->dense[e];
      y->x[e] = input * y->mask[e];
    }
    forward(m, y, theta);
  }
  double loss = cross_entropy(m);
  for (int l = m->n_layers - 1; l >= 0; l--) backward(m, &m->layers[l], theta, gradient);
  return loss;
}
