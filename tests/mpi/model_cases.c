// Models of whole graphs: gradients, batches of every composition, ranks with and without graphs.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "tests/mpi/batch_model.h"
#include "tests/support/mpi_case.h"
#include "tests/support/sample_collection.h"

enum { GRAPHS = 9, MOST_CHANGES = 12 };

static const hg_off all_graphs[GRAPHS] = {0, 1, 2, 3, 4, 5, 6, 7, 8};

static bool in_double(void) { return sizeof(hg_real) == sizeof(double); }

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

// what every kind of model is tried with
static const char *const *const variants[] = {
    OPTIONS("model.type=gcn", "model.readout=mean"),
    OPTIONS("model.type=gcn", "model.readout=sum", "model.hidden=2", "model.normalization=row", "model.layers=3"),
    OPTIONS("model.type=gcn", "model.readout=max", "model.head_layers=2", "model.activation=elu", "model.dropout=0.3"),
    OPTIONS("model.type=gcn", "model.pooling=cluster", "model.norm=layer", "model.residual=true", "model.layers=3"),
    OPTIONS("model.type=gcn", "model.pooling=cluster", "model.norm=batch", "model.activation=elu", "model.dropout=0.3"),
    OPTIONS("model.type=gcn", "model.norm=batch", "model.residual=true", "model.head_layers=3", "model.layers=4"),
    OPTIONS("model.type=geogcn", "model.normalization=row", "model.readout=mean", "model.input_dropout=0.3"),
    OPTIONS("model.type=geogcn", "model.normalization=row", "model.readout=sum", "model.norm=layer", "model.layers=3",
            "model.residual=true", "model.activation=elu"),
    OPTIONS("model.type=geogcn", "model.normalization=row", "model.pooling=cluster", "model.head_layers=2",
            "model.dropout=0.3", "model.input_dropout=0", "model.layers=3"),
    OPTIONS("model.type=geogcn", "model.normalization=row", "model.pooling=cluster", "model.readout=max",
            "model.pooling_weight=similarity", "model.filters_per=shared", "model.norm=batch", "model.residual=true"),
    OPTIONS("model.type=mlp", "model.layers=1", "model.readout=sum"),
    OPTIONS("model.type=mlp", "model.head_layers=2", "model.readout=max", "model.norm=layer", "model.residual=true"),
    OPTIONS("model.type=mlp", "model.pooling=cluster", "model.activation=elu", "model.dropout=0.5", "model.layers=3"),
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static const char *name_of(const char *const *changes)
{
  static char text[512];
  text[0] = '\0';
  for (; *changes; changes++) {
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, "%s ", *changes);
  }
  return text;
}

// a step that float can see crosses kinks: there only what has none
static bool has_kinks(const hg_model_options *o)
{
  return strcmp(o->type, "geogcn") == 0 || o->activation == HG_ACTIVATION_RELU || o->readout == HG_REDUCTION_MAX ||
         o->pooling == HG_POOLING_CLUSTER;
}

// central differences of every third parameter; float can only see large slopes
static void check_differences(batch_model *m, const char *what)
{
  double step = in_double() ? 1e-7 : 2e-3, tolerance = in_double() ? 1e-6 : 5e-2;
  batch_model_gradient(m);
  for (hg_off k = 0; k < m->model.n_parameters; k += 3) {
    hg_real *theta = &m->model.parameters[k], before = *theta;
    *theta = (hg_real)((double)before + step);
    double up = batch_model_value(m);
    *theta = (hg_real)((double)before - step);
    double down = batch_model_value(m);
    *theta = before;
    double expected = (up - down) / (2 * step), found = (double)m->model.gradients[k];
    if (!check(fabs(found - expected) <= tolerance * fmax(1, fabs(expected)),
               "%s: parameter %lld: gradient %.9g, difference %.9g", what, (long long)k, found, expected))
      return;
  }
}

static void gradients_are_central_differences(hg_world *world)
{
  for (int v = 0; v < N_VARIANTS; v++) {
    batch_model m;
    const char *changes[MOST_CHANGES] = {in_double() ? "model.activation=relu" : "model.activation=elu"};
    for (int k = 0; variants[v][k]; k++) changes[k + 1] = variants[v][k];
    if (batch_model_create(&m, world, GRAPHS, changes) && (in_double() || !has_kinks(&m.options))) {
      batch_model_fill(&m, all_graphs, GRAPHS);
      check_differences(&m, name_of(changes));
    }
    batch_model_free(&m);
  }
}

static void check_close(const hg_real *a, const hg_real *b, hg_off n, const char *what, const char *of)
{
  double tolerance = in_double() ? 1e-11 : 1e-4;
  for (hg_off k = 0; k < n; k++) {
    double x = (double)a[k], y = (double)b[k];
    if (!check(fabs(x - y) <= tolerance * fmax(1, fmax(fabs(x), fabs(y))), "%s: %s %lld is %.9g, expected %.9g", of,
               what, (long long)k, x, y))
      return;
  }
}

// the same batch on this rank alone
static void follow_one_rank(hg_world *world, const hg_off *graphs, hg_off n)
{
  hg_world *self = NULL;
  if (!check_ok(hg_world_self_create(&self, world))) return;
  for (int v = 0; v < N_VARIANTS; v++) {
    batch_model many, one;
    const char *of = name_of(variants[v]);
    bool made = batch_model_create(&many, world, GRAPHS, variants[v]);
    if (batch_model_create(&one, self, GRAPHS, variants[v]) && made) {
      batch_model_fill(&many, graphs, n);
      batch_model_fill(&one, graphs, n);
      batch_model_gradient(&many);
      batch_model_gradient(&one);
      check_close(many.model.gradients, one.model.gradients, one.model.n_parameters, "gradient", of);
      check_close(many.model.state, one.model.state, one.model.n_state, "running moment", of);
    }
    batch_model_free(&many);
    batch_model_free(&one);
  }
  hg_world_self_free(&self);
}

static void ranks_together_follow_one(hg_world *world) { follow_one_rank(world, all_graphs, GRAPHS); }

static void ranks_without_graphs_take_part(hg_world *world)
{
  const hg_off two[] = {6, 3};
  follow_one_rank(world, two, 2);
  follow_one_rank(world, two, 0);
}

static void an_empty_batch_has_no_gradient(hg_world *world)
{
  for (int v = 0; v < N_VARIANTS; v++) {
    batch_model m;
    if (batch_model_create(&m, world, GRAPHS, variants[v])) {
      batch_model_fill(&m, all_graphs, GRAPHS);
      batch_model_gradient(&m);
      batch_model_fill(&m, all_graphs, 0);
      batch_model_gradient(&m);
      double sum = 0;
      for (hg_off k = 0; k < m.model.n_parameters; k++) sum += fabs((double)m.model.gradients[k]);
      check(sum == 0, "%s: gradients of %g", name_of(variants[v]), sum);
      for (hg_off k = 0; k < m.model.n_state; k++)
        check(isfinite((double)m.model.state[k]), "a running moment is lost");
    }
    batch_model_free(&m);
  }
}

// dropout is keyed by what does not depend on the batch, so even a training pass gives each graph what it gets alone
static void a_batch_gives_what_each_graph_gives_alone(hg_world *world)
{
  for (int v = 0; v < N_VARIANTS; v++) {
    batch_model m;
    hg_real together[GRAPHS * BATCH_MODEL_OUTPUTS];
    const hg_off shuffled[GRAPHS] = {5, 0, 8, 3, 1, 7, 2, 6, 4};
    if (batch_model_create(&m, world, GRAPHS, variants[v])) {
      bool training = m.options.norm != HG_LAYER_NORM_BATCH;
      batch_model_fill(&m, shuffled, GRAPHS);
      memcpy(together, batch_model_forward(&m, training).data, sizeof together);
      size_t bytes = hg_alloc_bytes();
      for (int b = 0; b < GRAPHS; b++) {
        batch_model_fill(&m, &shuffled[b], 1);
        hg_matrix z = batch_model_forward(&m, training);
        check(z.rows == 1, "%d rows for one graph", (int)z.rows);
        check_close(z.data, together + b * BATCH_MODEL_OUTPUTS, BATCH_MODEL_OUTPUTS, "output", name_of(variants[v]));
      }
      check(hg_alloc_bytes() == bytes, "passes have allocated something");
    }
    batch_model_free(&m);
  }
}

// the same graphs with the nodes of each in the reverse order
static hg_status reverse_nodes(hg_collection *out, hg_collection *in)
{
  hg_lid *order = NULL;
  hg_graph reversed = {0};
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(order, in->graph_ptr[in->n_graphs], "order"));
  for (hg_off g = 0; g < in->n_graphs; g++)
    for (hg_off i = in->graph_ptr[g]; i < in->graph_ptr[g + 1]; i++)
      order[i] = (hg_lid)(in->graph_ptr[g] + in->graph_ptr[g + 1] - 1 - i);
  HG_TRY(hg_graph_permute(&reversed, &in->united, order));
  hg_graph_free(&in->united);
  *out = *in;
  out->united = reversed;
done:
  hg_free(&order);
  return rc;
}

// without clusters, whose choice goes with the nodes' numbers, and without dropout, which does too
static void the_order_of_nodes_does_not_matter(hg_world *world)
{
  for (int v = 0; v < N_VARIANTS; v++) {
    batch_model m, reversed;
    hg_collection collection;
    bool made = batch_model_create(&m, world, GRAPHS, variants[v]);
    bool same = made && m.options.pooling == HG_POOLING_NONE;
    if (same && check_ok(sample_collection(&collection, GRAPHS, BATCH_MODEL_WIDTH, 2, HG_TASK_CLASSES, 3, 5)) &&
        check_ok(reverse_nodes(&collection, &collection))) {
      if (batch_model_create_on(&reversed, world, &collection, variants[v])) {
        batch_model_fill(&m, all_graphs, GRAPHS);
        batch_model_fill(&reversed, all_graphs, GRAPHS);
        hg_matrix z = batch_model_forward(&m, false), other = batch_model_forward(&reversed, false);
        check_close(other.data, z.data, z.rows * z.cols, "output", name_of(variants[v]));
      }
      batch_model_free(&reversed);
    }
    batch_model_free(&m);
  }
}

// row i of y against its members' rows of x
static void check_pooled(const hg_pool *pool, const hg_matrix *x, const char *what)
{
  const hg_csr *members = pool->members;
  int f = x->cols;
  for (hg_off i = 0; i < members->n_rows; i++) {
    for (int k = 0; k < f; k++) {
      double sum = 0, largest = -INFINITY, n = (double)(members->indptr[i + 1] - members->indptr[i]);
      for (hg_off e = members->indptr[i]; e < members->indptr[i + 1]; e++) {
        double value = (double)x->data[members->indices[e] * f + k];
        sum += value;
        largest = fmax(largest, value);
      }
      double expected = pool->reduction == HG_REDUCTION_MAX   ? largest
                        : pool->reduction == HG_REDUCTION_SUM ? sum
                                                              : sum / n;
      double found = (double)pool->rows.data[i * f + k];
      if (!check(fabs(found - expected) <= 1e-5 * fmax(1, fabs(expected)), "%s: pooled %.9g, expected %.9g", what,
                 found, expected))
        return;
    }
  }
}

// The original's order: layer, activation, dropout, clusters; after the last layer clusters and then the readout.
static void layers_are_pooled_one_by_one(hg_world *world)
{
  for (int v = 0; v < N_VARIANTS; v++) {
    batch_model m;
    if (batch_model_create(&m, world, GRAPHS, variants[v])) {
      const hg_model *model = &m.model;
      bool clusters = m.options.pooling == HG_POOLING_CLUSTER;
      int n_pools = model->n_stages - 1;
      check(n_pools == (clusters ? m.options.layers + 1 : 1), "%d pools", n_pools);
      check(model->pools[n_pools - 1].reduction == m.options.readout, "the readout is another");
      batch_model_fill(&m, all_graphs, GRAPHS);
      batch_model_forward(&m, true);
      for (int s = 0; s < n_pools; s++) {
        const hg_matrix *x = &model->layers[clusters ? s : m.options.layers - 1].h;
        if (clusters && s == n_pools - 1) x = &model->pools[s - 1].rows;
        check_pooled(&model->pools[s], x, name_of(variants[v]));
      }
      const hg_layer *last = &model->layers[model->n_layers - 1];
      check(hg_model_embeddings(model).data == last->x.data, "the embeddings are not the last layer's input");
    }
    batch_model_free(&m);
  }
}

static void measured_is_what_is_allocated(hg_world *world)
{
  for (int v = 0; v < N_VARIANTS; v++) {
    batch_model m;
    if (batch_model_create(&m, world, GRAPHS, variants[v])) {
      const hg_model *model = &m.model;
      hg_model_size size = hg_model_measure(model);
      size_t planned = size.activations + size.workspace +
                       (size_t)model->n_layers * (sizeof(hg_layer) + sizeof(hg_covered) + sizeof(hg_sampled)) +
                       sizeof(hg_covered);
      planned += (size_t)(2 * model->n_parameters + model->n_state) * sizeof(hg_real);
      size_t before = hg_alloc_bytes();
      hg_model_free(&m.model);
      double found = (double)(before - hg_alloc_bytes());
      check(fabs(found / (double)planned - 1) < 0.1, "%s: %.0f bytes, planned %.0f", name_of(variants[v]), found,
            (double)planned);
      check(size.halo == 0, "%zu bytes of exchanges without halo", size.halo);
    }
    batch_model_free(&m);
  }
}

const mpi_case model_cases[] = {
    {"model/gradients_are_central_differences", gradients_are_central_differences, "1 3"},
    {"model/ranks_together_follow_one", ranks_together_follow_one, "2 3"},
    {"model/ranks_without_graphs_take_part", ranks_without_graphs_take_part, "1 4"},
    {"model/an_empty_batch_has_no_gradient", an_empty_batch_has_no_gradient, "1"},
    {"model/a_batch_gives_what_each_graph_gives_alone", a_batch_gives_what_each_graph_gives_alone, "1"},
    {"model/the_order_of_nodes_does_not_matter", the_order_of_nodes_does_not_matter, "1"},
    {"model/layers_are_pooled_one_by_one", layers_are_pooled_one_by_one, "1"},
    {"model/measured_is_what_is_allocated", measured_is_what_is_allocated, "1"},
    {0},
};
