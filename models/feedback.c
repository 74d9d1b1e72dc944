#include "models/feedback.h"

#include <string.h>

#include "core/base/hash.h"
#include "models/stale.h"

// of each layer's exchanges, forward and transposed: what error feedback keeps, and what staleness does
enum { KEPT = 1 + HG_STALE_STATES, KEPT_IN_LAYER = 2 * KEPT };

// The k-th of the model's arrays, KEPT_IN_LAYER a layer; without data where there is none.
static hg_matrix kept(const hg_model *model, int k)
{
  const hg_layer *layer = &model->layers[k / KEPT_IN_LAYER];
  const hg_layer_reach *reach = hg_layer_training_reach(layer);
  int way = k % 2, which = k % KEPT_IN_LAYER / 2;
  const hg_exchange *exchange = way ? reach->add : reach->fill;
  hg_stale_exchange *stale = hg_stale_of(layer, way);
  if (which > 0) return stale ? hg_stale_exchange_state(stale, which - 1) : (hg_matrix){0};
  return exchange ? hg_exchange_error(exchange) : (hg_matrix){0};
}

hg_off hg_feedback_count(const hg_model *model)
{
  hg_off count = 0;
  for (int k = 0; k < KEPT_IN_LAYER * model->n_layers; k++) {
    const hg_matrix m = kept(model, k);
    count += m.rows * m.cols;
  }
  return count;
}

uint64_t hg_feedback_key(const hg_model *model)
{
  uint64_t hash = HG_HASH;
  for (const hg_layer *l = model->layers; l < model->layers + model->n_layers; l++) {
    const hg_layer_reach *reach = hg_layer_training_reach(l);
    const hg_links *links = reach->fill ? reach->graph->links : NULL;
    if (!links) continue;
    const hg_gid *ids = reach->graph->ids;
    for (hg_lid k = 0; k < links->send_offsets[links->n_peers_send]; k++) {
      hg_gid id = links->sums ? links->sums->ids[k] : ids[links->send_rows[k]];
      hash = hg_hash_word(hash, (uint64_t)id);
    }
    for (hg_lid h = 0; h < links->n_halo; h++) hash = hg_hash_word(hash, (uint64_t)ids[links->n_owned + h]);
  }
  return hash;
}

void hg_feedback_get(const hg_model *model, hg_real *numbers)
{
  for (int k = 0; k < KEPT_IN_LAYER * model->n_layers; k++) {
    const hg_matrix m = kept(model, k);
    hg_off n = m.rows * m.cols;
    if (n > 0) memcpy(numbers, m.data, (size_t)n * sizeof *numbers);
    numbers += n;
  }
}

static void tell_stale(const hg_model *model, void (*what)(hg_stale_exchange *))
{
  for (int k = 0; k < 2 * model->n_layers; k++) {
    hg_stale_exchange *stale = hg_stale_of(&model->layers[k / 2], k % 2);
    if (stale) what(stale);
  }
}

void hg_feedback_set(hg_model *model, const hg_real *numbers)
{
  for (int k = 0; k < KEPT_IN_LAYER * model->n_layers; k++) {
    const hg_matrix m = kept(model, k);
    hg_off n = m.rows * m.cols;
    if (n == 0) continue;
    if (numbers) {
      memcpy(m.data, numbers, (size_t)n * sizeof *numbers);
      numbers += n;
    } else {
      memset(m.data, 0, (size_t)n * sizeof *m.data);
    }
  }
  tell_stale(model, numbers ? hg_stale_exchange_restored : hg_stale_exchange_forget);
}
