#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/rng.h"
#include "crew.h"

TestSuite(coordinator, .timeout = 60);

static void expect_all_plans(const crew *c, int epochs)
{
  for (int r = 0; r < c->options.ranks; r++) {
    const crew_member *m = &c->members[r];
    crew_expect(c, r, HG_OK, "");
    cr_assert_eq(m->n_plans, epochs + 1, "rank %d had %d plans", r, m->n_plans);
    for (int k = 0; k <= epochs; k++) {
      hg_plan plan = hg_schedule_plan(&c->config, &c->options.state, c->options.first_epoch + k);
      cr_assert_eq(m->plans[k].epoch, plan.epoch);
      if (k < epochs) cr_assert_eq(m->plans[k].learning_rate, plan.learning_rate);
      cr_assert_eq(m->plans[k].stop, k == epochs);
    }
  }
}

static const int crew_sizes[] = {1, 2, 4, 7};

ParameterizedTestParameters(coordinator, every_worker_gets_every_plan)
{
  return cr_make_param_array(int, (void *)(uintptr_t)crew_sizes, sizeof crew_sizes / sizeof *crew_sizes);
}

ParameterizedTest(const int *ranks, coordinator, every_worker_gets_every_plan)
{
  crew *c = crew_new(*ranks, 200, 10);
  c->config.train.schedule = HG_SCHEDULE_COSINE;
  crew_start(c);
  crew_run(c, 0, *ranks);
  expect_all_plans(c, 200);
  crew_stop(c, NULL);
  crew_free(c);
}

/** Two epochs' plans are there before any report; each report brings the plan of the epoch after the next. */
Test(coordinator, the_next_plan_is_there_while_an_epoch_runs)
{
  crew *c = crew_new(1, 10, 10);
  crew_start(c);
  hg_worker *worker;
  hg_plan plan;
  cr_assert_eq(hg_worker_connect(&worker, c->address, 0, 1, 10), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_worker_next_plan(worker, &plan), HG_OK);
  for (int epoch = 1; epoch <= 10; epoch++) {
    cr_assert_eq(hg_worker_next_plan(worker, &plan), HG_OK);
    cr_expect_eq(plan.epoch, epoch + 1, "the plan of %d during epoch %d", plan.epoch, epoch);
    const hg_report report = {.epoch = epoch};
    cr_assert_eq(hg_worker_report(worker, &report), HG_OK);
  }
  cr_expect(plan.stop);
  cr_assert_eq(hg_worker_next_plan(worker, &plan), HG_OK);
  cr_expect(plan.stop && plan.epoch == 11, "the stop stays");
  hg_worker_bye(&worker, HG_OK);
  crew_stop(c, NULL);
  crew_free(c);
}

Test(coordinator, works_over_tcp)
{
  crew *c = crew_new(3, 50, 10);
  c->config.coordinator.transport = HG_TRANSPORT_TCP;
  crew_start(c);
  cr_expect_eq(strncmp(c->address, "tcp://", 6), 0, "%s", c->address);
  crew_run(c, 0, 3);
  expect_all_plans(c, 50);
  crew_stop(c, NULL);
  crew_free(c);
}

Test(coordinator, listens_at_the_interface_that_the_environment_names)
{
  crew *c = crew_new(2, 3, 10);
  c->config.coordinator.transport = HG_TRANSPORT_TCP;
  setenv("HALOGNN_INTERFACE", "lo", 1);
  crew_start(c);
  cr_expect_eq(strncmp(c->address, "tcp://127.0.0.1:", 16), 0, "%s", c->address);
  crew_run(c, 0, 2);
  expect_all_plans(c, 3);
  crew_stop(c, NULL);
  setenv("HALOGNN_INTERFACE", "nosuch0", 1);
  cr_expect_eq(hg_coordinator_start(&c->coordinator, &c->options, c->address, sizeof c->address), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "HALOGNN_INTERFACE: found no interface \"nosuch0\""), "%s", hg_error_text());
  cr_expect_null(c->coordinator);
  crew_free(c);
}

Test(coordinator, ipc_over_several_hosts_is_an_input_error)
{
  crew *c = crew_new(2, 3, 10);
  c->config.coordinator.transport = HG_TRANSPORT_IPC;
  c->options.one_host = false;
  cr_expect_eq(hg_coordinator_start(&c->coordinator, &c->options, c->address, sizeof c->address), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "coordinator.transport: found ipc"), "%s", hg_error_text());
  crew_free(c);
}

Test(coordinator, goes_on_from_a_checkpoint)
{
  crew *c = crew_new(2, 20, 10);
  c->options.first_epoch = 16;
  crew_start(c);
  crew_run(c, 0, 2);
  expect_all_plans(c, 5);
  crew_stop(c, NULL);
  crew_free(c);
}

Test(coordinator, a_run_that_is_over_has_a_stop_as_its_only_plan)
{
  crew *c = crew_new(2, 20, 10);
  c->options.first_epoch = 21;
  crew_start(c);
  crew_run(c, 0, 2);
  expect_all_plans(c, 0);
  crew_stop(c, NULL);
  crew_free(c);
}

/** Best at epoch 5; after that no gain. */
static hg_status peak_at_five(crew_member *member, const hg_plan *plan, hg_report *report)
{
  (void)member;
  report->evaluated = plan->evaluate;
  report->val_metric = plan->epoch <= 5 ? plan->epoch : 0;
  return HG_OK;
}

Test(coordinator, early_stopping_ends_all_workers_at_the_same_epoch)
{
  for (int ranks = 1; ranks <= 4; ranks++) {
    crew *c = crew_new(ranks, 100, 10);
    c->config.train.patience = 3;
    c->epoch = peak_at_five;
    crew_start(c);
    crew_run(c, 0, ranks);
    expect_all_plans(c, 9); // no gain at 6, 7, 8: the epoch 9 is under way then, the plan of 10 is the stop
    crew_stop(c, NULL);
    crew_free(c);
  }
}

enum { SUM_MAX = 5000 };

/**
 * Every third number is large in ranks 0 and 1 and cancels there, so that another order of additions loses the small
 * ones.
 */
static hg_real contribution(int rank, int epoch, hg_off i)
{
  const hg_rng rng = {.seed = 3, .stream = HG_STREAM_TEST};
  double small = hg_rng_uniform(rng, (uint64_t)i, (uint32_t)(epoch * 16 + rank)) - 0.5;
  double large = 1e17 * hg_rng_uniform(rng, (uint64_t)i, (uint32_t)(epoch * 16 + 15));
  if (i % 3 != 0 || rank > 1) return (hg_real)small;
  return (hg_real)(rank == 0 ? large : -large);
}

static hg_status check_sum(const crew_member *member, int epoch, const hg_real *values, hg_off n)
{
  for (hg_off i = 0; i < n; i++) {
    double total = 0;
    for (int r = 0; r < member->of->options.ranks; r++) total += (double)contribution(r, epoch, i);
    hg_real expected = (hg_real)total;
    if (memcmp(&values[i], &expected, sizeof expected) != 0)
      return hg_fail(HG_ERR_INTERNAL, "epoch %d, number %d: found %.17g, expected %.17g", epoch, (int)i,
                     (double)values[i], (double)expected);
  }
  return HG_OK;
}

static hg_off sum_length(int epoch) { return epoch == 1 ? 0 : (epoch * 733) % SUM_MAX; }

static hg_status sum_of_epoch(crew_member *member, const hg_plan *plan, hg_report *report)
{
  (void)report;
  static _Thread_local hg_real values[SUM_MAX];
  hg_off n = sum_length(plan->epoch);
  for (hg_off i = 0; i < n; i++) values[i] = contribution(member->rank, plan->epoch, i);
  hg_status rc = hg_worker_sum(member->worker, values, n);
  return rc == HG_OK ? check_sum(member, plan->epoch, values, n) : rc;
}

ParameterizedTestParameters(coordinator, sums_gradients_in_rank_order_to_the_bit)
{
  return cr_make_param_array(int, (void *)(uintptr_t)crew_sizes, sizeof crew_sizes / sizeof *crew_sizes);
}

ParameterizedTest(const int *ranks, coordinator, sums_gradients_in_rank_order_to_the_bit)
{
  crew *c = crew_new(*ranks, 20, 10);
  c->config.train.sync = HG_SYNC_COORDINATOR;
  c->epoch = sum_of_epoch;
  crew_start(c);
  crew_run(c, 0, *ranks);
  expect_all_plans(c, 20);
  crew_stop(c, NULL);
  crew_free(c);
}

enum { LAYERS = 5 };

/** All layers under way at once; taken in the order begun. */
static hg_status pipelined_sums(crew_member *member, const hg_plan *plan, hg_report *report)
{
  (void)report;
  static _Thread_local hg_real values[LAYERS][100];
  hg_status rc = HG_OK;
  for (int l = 0; l < LAYERS && rc == HG_OK; l++) {
    for (hg_off i = 0; i < 20 * (l + 1); i++) values[l][i] = contribution(member->rank, plan->epoch + l, i);
    rc = hg_worker_sum_begin(member->worker, values[l], 20 * (l + 1));
  }
  for (int l = 0; l < LAYERS && rc == HG_OK; l++) {
    rc = hg_worker_sum_end(member->worker, values[l], 20 * (l + 1));
    if (rc == HG_OK) rc = check_sum(member, plan->epoch + l, values[l], 20 * (l + 1));
  }
  return rc;
}

Test(coordinator, sums_of_several_layers_can_be_under_way)
{
  crew *c = crew_new(3, 30, 10);
  c->config.train.sync = HG_SYNC_COORDINATOR;
  c->epoch = pipelined_sums;
  crew_start(c);
  crew_run(c, 0, 3);
  expect_all_plans(c, 30);
  crew_stop(c, NULL);
  crew_free(c);
}

Test(coordinator, the_address_file_is_private_and_goes_away)
{
  char folder[] = "/tmp/halognn-test-XXXXXX", path[64];
  cr_assert(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/coordinator.json", folder);
  for (int again = 0; again < 2; again++) { // twice in the same folder
    crew *c = crew_new(2, 3, 10);
    c->options.address_file = path;
    crew_start(c);
    struct stat info;
    cr_assert_eq(stat(path, &info), 0);
    cr_expect_eq(info.st_mode & 0777, 0600, "mode %o", info.st_mode & 0777);
    json_t *file = json_load_file(path, 0, NULL);
    cr_expect_str_eq(json_string_value(json_object_get(file, "address")), c->address);
    cr_expect_eq(json_integer_value(json_object_get(file, "version")), HG_PROTOCOL_VERSION);
    json_decref(file);
    crew_run(c, 0, 2);
    crew_stop(c, NULL);
    cr_expect_neq(access(path, F_OK), 0, "the address file is still there");
    crew_free(c);
  }
  cr_expect_eq(rmdir(folder), 0, "something is left in %s", folder);
}

Test(coordinator, the_socket_lies_in_a_private_folder_that_goes_away)
{
  crew *c = crew_new(1, 3, 10);
  crew_start(c);
  char folder[HG_ADDRESS_SIZE];
  cr_assert_eq(strncmp(c->address, "ipc:///", 7), 0, "%s", c->address);
  snprintf(folder, sizeof folder, "%s", c->address + 6);
  *strrchr(folder, '/') = '\0';
  struct stat info;
  cr_assert_eq(stat(folder, &info), 0, "%s", folder);
  cr_expect_eq(info.st_mode & 0777, 0700);
  crew_run(c, 0, 1);
  crew_stop(c, NULL);
  cr_expect_neq(stat(folder, &info), 0, "%s is still there", folder);
  crew_free(c);
}

Test(coordinator, a_long_name_of_the_temporary_folder_is_not_used)
{
  char name[200] = "/tmp/";
  memset(name + 5, 'x', sizeof name - 6);
  setenv("TMPDIR", name, 1);
  crew *c = crew_new(2, 3, 10);
  crew_start(c);
  crew_run(c, 0, 2);
  expect_all_plans(c, 3);
  crew_stop(c, NULL);
  crew_free(c);
}

Test(coordinator, an_address_file_that_cannot_be_written_is_an_input_error)
{
  crew *c = crew_new(1, 3, 10);
  c->options.address_file = "/nonexistent/coordinator.json";
  cr_expect_eq(hg_coordinator_start(&c->coordinator, &c->options, c->address, sizeof c->address), HG_ERR_INPUT);
  cr_expect_null(c->coordinator);
  crew_free(c);
}

Test(coordinator, stops_at_once_when_no_worker_came)
{
  crew *c = crew_new(3, 3, 30);
  crew_start(c);
  crew_stop(c, NULL);
  crew_free(c);
}

ParameterizedTestParameters(coordinator, costs_less_than_a_millisecond_an_epoch)
{
  return cr_make_param_array(int, (void *)(uintptr_t)crew_sizes, 3);
}

/** The critical path: what a worker waits in next_plan and report when its epochs do nothing else, the worst case. */
ParameterizedTest(const int *ranks, coordinator, costs_less_than_a_millisecond_an_epoch)
{
  crew *c = crew_new(*ranks, 1000, 10);
  crew_start(c);
  crew_run(c, 0, *ranks);
  double worst = 0;
  for (int r = 0; r < *ranks; r++) worst = c->members[r].seconds > worst ? c->members[r].seconds : worst;
  cr_log_info("%d workers: %.1f us of an epoch's critical path", *ranks, worst / 1000 * 1e6);
  cr_expect(worst / 1000 < 5e-3, "%g s an epoch", worst / 1000);
  crew_stop(c, NULL);
  crew_free(c);
}
