#include "runtime/coord/schedule.h"

#include <math.h>

static double step_rate(const hg_config *config, int past)
{
  if (config->train.step_epochs < 1) return config->train.learning_rate;
  int steps = past / config->train.step_epochs;
  double rate = config->train.learning_rate * pow(config->train.step_factor, steps);
  return fmax(rate, fmin(config->train.min_learning_rate, config->train.learning_rate));
}

static double cosine_rate(const hg_config *config, int past)
{
  const double pi = 3.14159265358979323846;
  double high = config->train.learning_rate, low = config->train.min_learning_rate;
  int span = config->train.epochs - config->train.warmup_epochs - 1;
  if (span < 1) return high;
  double t = past < span ? (double)past / span : 1;
  return low + (high - low) * (1 + cos(pi * t)) / 2;
}

double hg_schedule_learning_rate(const hg_config *config, int epoch)
{
  int warmup = config->train.warmup_epochs > 0 ? config->train.warmup_epochs : 0;
  if (epoch <= warmup) return config->train.learning_rate * epoch / (warmup + 1);
  int past = epoch - warmup - 1;
  switch (config->train.schedule) {
  case HG_SCHEDULE_STEP:
    return step_rate(config, past);
  case HG_SCHEDULE_COSINE:
    return cosine_rate(config, past);
  case HG_SCHEDULE_CONSTANT:
    break;
  }
  return config->train.learning_rate;
}

static bool every(int epoch, int period) { return period > 0 && epoch % period == 0; }

hg_plan hg_schedule_plan(const hg_config *config, const hg_schedule_state *state, int epoch)
{
  hg_plan plan = {.epoch = epoch, .sync = config->train.sync};
  bool early = config->train.patience > 0 && state->stop_epoch > 0 && epoch >= state->stop_epoch;
  if (early || epoch > config->train.epochs) {
    plan.stop = true;
    return plan;
  }
  bool last = epoch == config->train.epochs;
  plan.learning_rate = hg_schedule_learning_rate(config, epoch);
  plan.evaluate = last || every(epoch, config->train.evaluate_every);
  plan.checkpoint = last || every(epoch, config->train.checkpoint_every);
  plan.average =
      plan.sync == HG_SYNC_LOCAL && (plan.evaluate || plan.checkpoint || every(epoch, config->train.sync_every));
  return plan;
}

void hg_schedule_observe(hg_schedule_state *state, const hg_config *config, const hg_report *report)
{
  if (!report->evaluated) return;
  bool gain = !isnan(report->val_metric) && (state->best_epoch == 0 || report->val_metric > state->best_metric);
  if (gain) {
    state->best_epoch = report->epoch;
    state->best_metric = report->val_metric;
    state->without_gain = 0;
    return;
  }
  state->without_gain++;
  bool enough = config->train.patience > 0 && state->without_gain >= config->train.patience;
  if (enough && state->stop_epoch == 0) state->stop_epoch = report->epoch + 2;
}
