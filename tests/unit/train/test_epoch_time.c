#include <criterion/criterion.h>
#include <math.h>

#include "runtime/train/epoch_time.h"

// two layers; the second exchanges 10 columns, computes 4 ms interior rows forward and 8 ms owned rows backward
static hg_layer_time layers[2];
static hg_rehearsal rehearsal;
static hg_traffic_plan plan;
static hg_network network;
static const hg_extent extent = {1000, 5000};

static void set_up(void)
{
  layers[0] = (hg_layer_time){.forward_s = 0.005, .backward_s = 0.005};
  layers[1] = (hg_layer_time){.forward_s = 0.005,
                              .backward_s = 0.010,
                              .interior = 0.8,
                              .owned = 0.8,
                              .columns = 10,
                              .exchanges = true,
                              .crossing = 1};
  rehearsal = (hg_rehearsal){.epoch_s = 0.03,
                             .n_layers = 2,
                             .layers = layers,
                             .rows = 250,
                             .edges = 1250,
                             .edge_s = {1e-7, 1e-8},
                             .copy_bytes_s = INFINITY};
  rehearsal.seconds[HG_PHASE_AGGREGATE] = 0.01;
  plan = (hg_traffic_plan){.ranks = 4, .n_schemes = 1, .chosen = -1};
  plan.schemes[0] = (hg_scheme){.runs = true, .exact = true, .largest = 2e6, .messages = 6};
  network = (hg_network){.bytes_s = 1e9, .ranks_per_host = 1};
}

TestSuite(epoch_time, .init = set_up);

static const hg_scheme *timed(void)
{
  hg_epoch_times(&plan, &rehearsal, &network, &extent);
  return &plan.schemes[0];
}

Test(epoch_time, what_travels_is_hidden_by_rows_that_need_nothing)
{
  cr_expect_float_eq(timed()->epoch_s, 0.03, 1e-12, "1 ms each way, hidden by 4 and 8");
  network.bytes_s = 2e8; // 5 ms each way
  cr_expect_float_eq(timed()->exposed_s, 0.001, 1e-12, "forward 5 - 4, backward 0");
  network.latency_s = 0.002;           // 3 messages each way
  double sums = 0.026 - 0.015 + 0.008; // of 8 ms each, from 10 ms on, and the losses'
  cr_expect_float_eq(timed()->exposed_s, 0.007 + 0.003 + sums, 1e-12, "forward 11 - 4, backward 11 - 8");
  cr_expect_eq(plan.chosen, 0);
}

Test(epoch_time, narrow_layers_hide_less_and_active_sets_send_less)
{
  network.bytes_s = 2e8;
  layers[1].narrow = true;
  rehearsal.seconds[HG_PHASE_TRANSFORM] = 0.01; // aggregation is half of the two
  cr_expect_float_eq(timed()->exposed_s, 0.003 + 0.001, 1e-12, "5 - 2 and 5 - 4");
  layers[1].crossing = 0.5;
  cr_expect_float_eq(timed()->exposed_s, 0.0005, 1e-12, "2.5 - 2 and 0");
}

Test(epoch_time, rows_of_the_halo_that_are_computed_take_as_long_as_owned_ones)
{
  network.bytes_s = 2e8;
  plan.schemes[0].way = HG_WAY_COMPUTED;
  rehearsal.halo = 125;
  cr_expect_float_eq(timed()->exposed_s, 0, 1e-12, "the one exchange is not made");
  cr_expect_float_eq(timed()->epoch_s, 0.03 + 0.010 / 2, 1e-12, "half as many rows as are owned");
  layers[1].narrow = true;
  rehearsal.seconds[HG_PHASE_TRANSFORM] = 0.03; // products are three quarters
  cr_expect_float_eq(timed()->epoch_s, 0.03 + (0.010 + 0.75 * 0.015) / 2, 1e-12, "and its products");
  layers[1].makes_hidden = true;
  rehearsal.seconds[HG_PHASE_ELEMENTWISE] = 0.06;
  cr_expect_float_eq(timed()->epoch_s, 0.03 + (0.010 + 0.9 * 0.015) / 2, 1e-12, "and the activation of what streams");
}

Test(epoch_time, ranks_of_a_host_share_its_network_and_copy)
{
  network.ranks_per_host = 2;
  network.bytes_s = 2e8;
  cr_expect_float_eq(timed()->exposed_s, 10e-3 * 2 / 3 - 4e-3, 1e-12, "two thirds of the rows, half of the bandwidth");
  network.ranks_per_host = 4;
  rehearsal.copy_bytes_s = 1e9;
  cr_expect_float_eq(timed()->exposed_s, 4e-3, 1e-12, "packed and copied, both ways");
  plan.ranks = 1;
  plan.schemes[0].largest = plan.schemes[0].messages = 0;
  cr_expect_float_eq(timed()->exposed_s, 0, 1e-12, "one rank");
}

Test(epoch_time, sums_of_gradients_go_on_while_layers_below_are_computed)
{
  plan.schemes[0].largest = plan.schemes[0].messages = 0;
  layers[1].sums_bytes = 2e6; // 3 ms, hidden by the first layer's 5
  cr_expect_float_eq(timed()->exposed_s, 0, 1e-12, "hidden");
  layers[1].sums_bytes = 4e6;
  layers[0].sums_bytes = 1e6;
  cr_expect_float_eq(timed()->exposed_s, 0.001 + 0.0015, 1e-12, "6 - 5 and the first layer's own");
}

Test(epoch_time, columns_are_aggregated_evenly_and_nothing_is_hidden)
{
  plan.schemes[0].work = HG_WORK_COLUMNS;
  double work = 0.02 + 2 * 5000 * (1e-7 + 1e-8 * 10 / 4);
  cr_expect_float_eq(timed()->epoch_s, work + 2e-3, 1e-12, "four groups of columns");
  plan.schemes[0].part_groups = 2;
  cr_expect_float_eq(timed()->epoch_s, 0.02 + 2 * 2500 * (1e-7 + 1e-8 * 10 / 2) + 2e-3, 1e-12, "two parts, two groups");
}

Test(epoch_time, the_fastest_exact_scheme_that_runs_is_chosen)
{
  plan.n_schemes = 4;
  for (int k = 1; k < 4; k++) plan.schemes[k] = (hg_scheme){.runs = true, .exact = true};
  plan.schemes[0].largest = 1e9;
  plan.schemes[1].exact = false;
  plan.schemes[2].runs = false;
  plan.schemes[3].work = HG_WORK_NOT_TOLD;
  (void)timed();
  cr_expect_eq(plan.chosen, 0);
  cr_expect_eq(plan.schemes[3].epoch_s, 0);
  plan.schemes[3].work = HG_WORK_PARTS;
  (void)timed();
  cr_expect_eq(plan.chosen, 3);
}
