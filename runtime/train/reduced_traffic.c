#include "runtime/train/reduced_traffic.h"

#include "core/base/alloc.h"
#include "partition/halo_rows.h"
#include "runtime/train/traffic.h"

enum { DIRECTIONS = 2, WORD = 4 };

// of one layer, both ways: what a rank gets forward it sends backward
static void add_layer(hg_reduced_traffic *t, const hg_halo_rows *numbers, double *sent)
{
  t->total += DIRECTIONS * WORD * (double)numbers->total[HG_SEND_HYBRID];
  t->messages += (double)numbers->messages_both_ways;
  for (int p = 0; p < numbers->n_parts; p++)
    sent[p] += WORD * (double)(numbers->sent[HG_SEND_HYBRID][p] + numbers->received[HG_SEND_HYBRID][p]);
}

hg_status hg_reduced_traffic_count(hg_reduced_traffic *traffic, const hg_config *config, const hg_graph *graph,
                                   int ranks, const int32_t *part_of)
{
  hg_reduced_traffic t = {0};
  hg_planned_model planned;
  const hg_model *model = &planned.model;
  hg_halo_rows numbers = {0};
  double *sent = NULL;
  int f_in = 0, f_out = 0; // that were counted last: hidden layers are all alike
  hg_status rc = HG_OK;
  HG_TRY(hg_planned_model_make(&planned, config, graph));
  t.known = model->layers[0].type->reduces;
  HG_TRY(HG_ALLOC(sent, ranks, "bytes of ranks"));
  for (const hg_layer *l = model->layers; t.known && l < model->layers + model->n_layers; l++) {
    if (hg_model_exchanged(model, l->index) == 0) continue;
    if (l->f_in != f_in || l->f_out != f_out) {
      hg_halo_rows_free(&numbers);
      HG_TRY(hg_halo_numbers_count(&numbers, graph, ranks, part_of, l->f_in, l->f_out));
      f_in = l->f_in;
      f_out = l->f_out;
    }
    add_layer(&t, &numbers, sent);
  }
  for (int p = 0; p < ranks; p++)
    if (sent[p] > t.largest) t.largest = sent[p];
  *traffic = t;
done:
  hg_free(&sent);
  hg_halo_rows_free(&numbers);
  hg_model_free(&planned.model);
  return rc;
}
