#include <criterion/criterion.h>

#include "runtime/train/rehearsal.h"
#include "tests/support/sample_graph.h"

static const double a_moment = 1e-3;

static hg_config config_of(int layers)
{
  hg_config c = hg_config_default();
  c.model.layers = layers;
  c.model.hidden = 8;
  c.model.dropout = c.model.input_dropout = 0;
  cr_assert_eq(hg_config_override(&c, "dataset.path=none.hg"), HG_OK);
  cr_assert_eq(hg_config_resolve(&c), HG_OK, "%s", hg_error_text());
  return c;
}

Test(rehearsal, times_several_parts_at_once)
{
  sample what = sample_default(3);
  what.n = 200;
  what.density = 0.05;
  hg_graph graph = sample_graph(what);
  hg_parts_index index = sample_parts(&graph, 3);
  const hg_config config = config_of(3);
  hg_alone_source sources[3];
  hg_rehearsal r;
  for (int k = 0; k < 3; k++) sources[k] = (hg_alone_source){&graph, &index, k, 20};
  for (int threads = 1; threads <= 2; threads++) {
    cr_assert_eq(hg_rehearse(&r, &config, sources, 3, threads, a_moment), HG_OK, "%s", hg_error_text());
    double phases = 0, layers = 0;
    for (int k = 0; k < HG_PHASE_COUNT; k++) phases += r.seconds[k];
    for (int l = 0; l < r.n_layers; l++) layers += r.layers[l].forward_s + r.layers[l].backward_s;
    cr_expect(r.epoch_s > 0 && phases > 0 && phases <= r.epoch_s && layers > 0 && layers <= r.epoch_s);
    cr_expect_eq(r.n_layers, 3);
    cr_expect(!r.layers[0].exchanges && r.layers[0].columns == 0, "the first layer's aggregate is kept");
    cr_expect(r.layers[1].exchanges && r.layers[1].columns == 8 && !r.layers[1].narrow);
    cr_expect(r.layers[2].exchanges && r.layers[2].columns == what.n_classes && r.layers[2].narrow);
    for (int l = 1; l < 3; l++) {
      const hg_layer_time *t = &r.layers[l];
      cr_expect(t->interior >= 0 && t->interior < 1 && t->owned > 0 && t->owned < 1);
      cr_expect(t->crossing > 0 && t->crossing <= 1 && t->sums_bytes > 0);
    }
    cr_expect(r.rows > 0 && r.edges > 0 && r.copy_bytes_s > 0 && r.edge_s[0] + r.edge_s[1] > 0);
    hg_rehearsal_free(&r);
  }
  hg_parts_index_free(&index);
  hg_graph_free(&graph);
}

Test(rehearsal, scales_products_and_the_rest_apart)
{
  hg_layer_time layers[] = {{.forward_s = 1, .backward_s = 2}, {.forward_s = 3, .backward_s = 1}};
  hg_rehearsal r = {.epoch_s = 10, .n_layers = 2, .layers = layers, .edge_s = {1, 2}, .copy_bytes_s = 8};
  r.seconds[HG_PHASE_TRANSFORM] = 6;
  r.seconds[HG_PHASE_AGGREGATE] = 3;
  hg_rehearsal_scale(&r, 0.5, 2);
  cr_expect_float_eq(r.epoch_s, 6 * 0.5 + 4 * 2, 1e-12, "epoch");
  cr_expect_float_eq(r.seconds[HG_PHASE_TRANSFORM], 3, 1e-12, "products");
  cr_expect_float_eq(r.seconds[HG_PHASE_AGGREGATE], 6, 1e-12, "aggregation");
  cr_expect_float_eq(layers[1].forward_s, 3.3, 1e-12, "layer");
  cr_expect_float_eq(r.edge_s[1], 4, 1e-12, "edge");
  cr_expect_float_eq(r.copy_bytes_s, 4, 1e-12, "copying");
}
