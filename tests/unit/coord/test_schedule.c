#include <criterion/criterion.h>
#include <math.h>

#include "runtime/coord/schedule.h"

static hg_config config_of(hg_schedule_kind kind, int epochs, int warmup)
{
  hg_config config = {0};
  config.train.schedule = kind;
  config.train.epochs = epochs;
  config.train.warmup_epochs = warmup;
  config.train.learning_rate = 0.1;
  config.train.evaluate_every = 1;
  return config;
}

static void expect_rate(const hg_config *config, int epoch, double expected)
{
  double rate = hg_schedule_learning_rate(config, epoch);
  cr_expect_float_eq(rate, expected, 1e-15, "epoch %d: found %.17g, expected %.17g", epoch, rate, expected);
}

Test(schedule, constant_is_constant)
{
  hg_config config = config_of(HG_SCHEDULE_CONSTANT, 100, 0);
  config.train.min_learning_rate = 0.01;
  for (int epoch = 1; epoch <= 100; epoch++) cr_expect_eq(hg_schedule_learning_rate(&config, epoch), 0.1);
}

Test(schedule, warm_up_rises_in_equal_steps_to_the_whole_rate)
{
  static const hg_schedule_kind kinds[] = {HG_SCHEDULE_CONSTANT, HG_SCHEDULE_STEP, HG_SCHEDULE_COSINE};
  for (int k = 0; k < 3; k++) {
    hg_config config = config_of(kinds[k], 100, 4);
    config.train.step_epochs = 10;
    config.train.step_factor = 0.5;
    for (int epoch = 1; epoch <= 4; epoch++) expect_rate(&config, epoch, 0.1 * epoch / 5);
    expect_rate(&config, 5, 0.1);
  }
}

Test(schedule, step_falls_by_its_factor)
{
  hg_config config = config_of(HG_SCHEDULE_STEP, 100, 2);
  config.train.step_epochs = 10;
  config.train.step_factor = 0.5;
  config.train.min_learning_rate = 0.02;
  expect_rate(&config, 3, 0.1);
  expect_rate(&config, 12, 0.1);
  expect_rate(&config, 13, 0.05);
  expect_rate(&config, 22, 0.05);
  expect_rate(&config, 23, 0.025);
  expect_rate(&config, 33, 0.02); // not below
  expect_rate(&config, 100, 0.02);
}

Test(schedule, cosine_falls_from_the_whole_rate_to_the_least)
{
  hg_config config = config_of(HG_SCHEDULE_COSINE, 101, 0);
  config.train.min_learning_rate = 0.01;
  expect_rate(&config, 1, 0.1);
  expect_rate(&config, 51, 0.055);
  expect_rate(&config, 101, 0.01);
  expect_rate(&config, 102, 0.01);
  for (int epoch = 2; epoch <= 101; epoch++)
    cr_expect_lt(hg_schedule_learning_rate(&config, epoch), hg_schedule_learning_rate(&config, epoch - 1), "epoch %d",
                 epoch);
}

Test(schedule, short_runs_have_a_rate)
{
  hg_config one = config_of(HG_SCHEDULE_COSINE, 1, 0), all_warm = config_of(HG_SCHEDULE_COSINE, 5, 5),
            no_step = config_of(HG_SCHEDULE_STEP, 5, 0);
  expect_rate(&one, 1, 0.1);
  expect_rate(&all_warm, 5, 0.1 * 5 / 6);
  expect_rate(&all_warm, 6, 0.1);
  expect_rate(&no_step, 5, 0.1);
}

Test(schedule, plans_follow_their_periods_and_the_last_epoch_does_all)
{
  hg_config config = config_of(HG_SCHEDULE_CONSTANT, 20, 0);
  const hg_schedule_state state = {0};
  config.train.sync = HG_SYNC_LOCAL;
  config.train.evaluate_every = 5;
  config.train.checkpoint_every = 7;
  config.train.sync_every = 3;
  for (int epoch = 1; epoch <= 20; epoch++) {
    hg_plan plan = hg_schedule_plan(&config, &state, epoch);
    bool evaluate = epoch % 5 == 0, checkpoint = epoch % 7 == 0 || epoch == 20;
    cr_expect_eq(plan.epoch, epoch);
    cr_expect_eq(plan.learning_rate, 0.1);
    cr_expect_eq(plan.sync, HG_SYNC_LOCAL);
    cr_expect_eq(plan.evaluate, evaluate, "epoch %d", epoch);
    cr_expect_eq(plan.checkpoint, checkpoint, "epoch %d", epoch);
    cr_expect_eq(plan.average, evaluate || checkpoint || epoch % 3 == 0, "epoch %d", epoch);
    cr_expect_not(plan.stop);
  }
  hg_plan end = hg_schedule_plan(&config, &state, 21);
  cr_expect(end.stop && !end.evaluate && !end.checkpoint && !end.average);
}

Test(schedule, periods_of_zero_mean_the_last_epoch_only)
{
  hg_config config = config_of(HG_SCHEDULE_CONSTANT, 9, 0);
  const hg_schedule_state state = {0};
  config.train.evaluate_every = 0;
  for (int epoch = 1; epoch <= 9; epoch++) {
    hg_plan plan = hg_schedule_plan(&config, &state, epoch);
    cr_expect_eq(plan.evaluate, epoch == 9);
    cr_expect_eq(plan.checkpoint, epoch == 9);
    cr_expect_not(plan.average, "weights are averaged with sync local alone");
  }
}

static void observe(hg_schedule_state *state, const hg_config *config, int epoch, double metric)
{
  const hg_report report = {.epoch = epoch, .evaluated = true, .val_metric = metric};
  hg_schedule_observe(state, config, &report);
}

Test(schedule, patience_counts_evaluations_without_gain)
{
  hg_config config = config_of(HG_SCHEDULE_CONSTANT, 100, 0);
  hg_schedule_state state = {0};
  config.train.patience = 2;
  observe(&state, &config, 1, -5);
  cr_expect_eq(state.best_epoch, 1, "the first is the best, even below zero");
  observe(&state, &config, 2, 0.5);
  observe(&state, &config, 3, 0.5); // equal is no gain
  const hg_report not_evaluated = {.epoch = 4, .val_metric = 9};
  hg_schedule_observe(&state, &config, &not_evaluated);
  cr_expect_eq(state.without_gain, 1);
  cr_expect_not(hg_schedule_plan(&config, &state, 6).stop);
  observe(&state, &config, 5, 0.4);
  cr_expect_eq(state.best_epoch, 2);
  cr_expect_eq(state.best_metric, 0.5);
  cr_expect_eq(state.without_gain, 2);
  cr_expect_not(hg_schedule_plan(&config, &state, 6).stop, "epoch 6 is under way when the report of 5 comes");
  cr_expect(hg_schedule_plan(&config, &state, 7).stop);
  cr_expect(hg_schedule_plan(&config, &state, 8).stop);
}

Test(schedule, the_decision_to_stop_stays)
{
  hg_config config = config_of(HG_SCHEDULE_CONSTANT, 100, 0);
  hg_schedule_state state = {0};
  config.train.patience = 1;
  observe(&state, &config, 1, 0.5);
  observe(&state, &config, 2, 0.4);
  observe(&state, &config, 3, 0.9); // the last epoch, already under way
  cr_expect_eq(state.stop_epoch, 4);
  cr_expect_eq(state.best_epoch, 3);
  cr_expect(hg_schedule_plan(&config, &state, 4).stop, "a resumed run stops where the whole one did");
}

Test(schedule, without_patience_nothing_stops_early)
{
  hg_config config = config_of(HG_SCHEDULE_CONSTANT, 100, 0);
  hg_schedule_state state = {0};
  for (int epoch = 1; epoch <= 100; epoch++) observe(&state, &config, epoch, -epoch);
  cr_expect_not(hg_schedule_plan(&config, &state, 100).stop);
  cr_expect_eq(state.without_gain, 99);
}

Test(schedule, a_metric_that_is_not_a_number_is_no_gain)
{
  hg_config config = config_of(HG_SCHEDULE_CONSTANT, 100, 0);
  hg_schedule_state state = {0};
  observe(&state, &config, 1, (double)NAN);
  cr_expect_eq(state.best_epoch, 0);
  observe(&state, &config, 2, 0.1);
  observe(&state, &config, 3, (double)NAN);
  cr_expect_eq(state.best_epoch, 2);
  cr_expect_eq(state.without_gain, 1);
}

/** A run that stops after each epoch in turn and goes on from its state makes the plans of one that does not stop. */
Test(schedule, a_resumed_run_makes_the_same_plans)
{
  hg_config config = config_of(HG_SCHEDULE_COSINE, 40, 3);
  config.train.patience = 3;
  hg_schedule_state states[41] = {{0}};
  int end = 0;
  for (int epoch = 1; epoch <= 40; epoch++) { // states[t]: after the report of t
    states[epoch] = states[epoch - 1];
    observe(&states[epoch], &config, epoch, -fabs(epoch - 10.0));
  }
  for (int epoch = 1; epoch <= 40 && !end; epoch++)
    if (hg_schedule_plan(&config, &states[epoch > 2 ? epoch - 2 : 0], epoch).stop) end = epoch;
  cr_assert_eq(end, 15); // best at 10, no gain at 11, 12, 13; 14 is under way
  for (int epoch = 1; epoch <= end; epoch++) {
    hg_plan whole = hg_schedule_plan(&config, &states[epoch > 2 ? epoch - 2 : 0], epoch);
    hg_plan resumed = hg_schedule_plan(&config, &states[epoch - 1], epoch);
    cr_expect_eq(whole.stop, resumed.stop, "epoch %d", epoch);
    cr_expect_eq(whole.learning_rate, resumed.learning_rate, "epoch %d", epoch);
  }
}
