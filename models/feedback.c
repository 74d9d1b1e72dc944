#include "models/feedback.h"

#include <string.h>

// The k-th of the model's exchanges' errors, two a layer; without data where there is none.
static hg_matrix error_of(const hg_model *model, int k)
{
  const hg_layer_reach *reach = hg_layer_training_reach(&model->layers[k / 2]);
  const hg_exchange *exchange = k % 2 ? reach->add : reach->fill;
  return exchange ? hg_exchange_error(exchange) : (hg_matrix){0};
}

hg_off hg_feedback_count(const hg_model *model)
{
  hg_off count = 0;
  for (int k = 0; k < 2 * model->n_layers; k++) {
    const hg_matrix error = error_of(model, k);
    count += error.rows * error.cols;
  }
  return count;
}

uint64_t hg_feedback_key(const hg_model *model)
{
  uint64_t hash = 1469598103934665603ULL; // FNV-1a over the words
  for (const hg_layer *l = model->layers; l < model->layers + model->n_layers; l++) {
    const hg_layer_reach *reach = hg_layer_training_reach(l);
    const hg_links *links = reach->fill ? reach->graph->links : NULL;
    const hg_gid *ids = reach->graph->ids;
    if (!links) continue;
    for (hg_lid k = 0; k < links->send_offsets[links->n_peers_send]; k++) {
      hg_gid id = links->sums ? links->sums->ids[k] : ids[links->send_rows[k]];
      hash = (hash ^ (uint64_t)id) * 1099511628211ULL;
    }
    for (hg_lid h = 0; h < links->n_halo; h++) hash = (hash ^ (uint64_t)ids[links->n_owned + h]) * 1099511628211ULL;
  }
  return hash;
}

void hg_feedback_get(const hg_model *model, hg_real *numbers)
{
  for (int k = 0; k < 2 * model->n_layers; k++) {
    const hg_matrix error = error_of(model, k);
    hg_off n = error.rows * error.cols;
    if (n > 0) memcpy(numbers, error.data, (size_t)n * sizeof *numbers);
    numbers += n;
  }
}

void hg_feedback_set(hg_model *model, const hg_real *numbers)
{
  for (int k = 0; k < 2 * model->n_layers; k++) {
    const hg_matrix error = error_of(model, k);
    hg_off n = error.rows * error.cols;
    if (n == 0) continue;
    if (numbers) {
      memcpy(error.data, numbers, (size_t)n * sizeof *numbers);
      numbers += n;
    } else {
      memset(error.data, 0, (size_t)n * sizeof *error.data);
    }
  }
}
