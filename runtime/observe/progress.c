#include "runtime/observe/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/timer.h"
#include "runtime/observe/run_folder.h"

static const double terminal_interval_s = 0.1, plain_interval_s = 5;

void hg_progress_begin(hg_progress *progress, const hg_config *config, hg_metric metric, bool quiet)
{
  memset(progress, 0, sizeof *progress);
  progress->quiet = quiet;
  progress->terminal = isatty(STDERR_FILENO);
  progress->epochs = config->train.epochs;
  progress->n_repeats = config->repeat;
  progress->metric = metric;
  progress->last_epoch_at = hg_now_s();
}

// "1:02:03", "2:03" or "45 s"
static void print_duration(char *text, size_t size, double seconds)
{
  long s = lround(fmin(seconds, 1e8));
  if (s < 60)
    snprintf(text, size, "%ld s", s);
  else if (s < 3600)
    snprintf(text, size, "%ld:%02ld", s / 60, s % 60);
  else
    snprintf(text, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

static double epochs_left(const hg_progress *p, const hg_epoch_record *r)
{
  return (double)(p->n_repeats - r->repeat - 1) * p->epochs + (p->epochs - r->epoch);
}

static void show(hg_progress *p, const hg_epoch_record *r)
{
  char left[32], val[64] = "", seed[32] = "";
  print_duration(left, sizeof left, p->mean_seconds * epochs_left(p, r));
  double score = hg_scores_get(&r->scores[HG_SPLIT_VAL], p->metric);
  if (r->evaluated && !isnan(score)) snprintf(val, sizeof val, "  val %s %.4f", hg_metric_name(p->metric), score);
  if (p->n_repeats > 1) snprintf(seed, sizeof seed, "run %d/%d  ", r->repeat + 1, p->n_repeats);
  fprintf(stderr, "%s%sepoch %d/%d  loss %.4f%s  %.3g s/epoch  %s left%s", p->terminal ? "\r" : "", seed, r->epoch,
          p->epochs, r->train_loss, val, r->seconds, left, p->terminal ? "\033[K" : "\n");
  fflush(stderr);
  p->last_shown = hg_now_s();
}

void hg_progress_epoch(hg_progress *progress, const hg_epoch_record *record)
{
  double now = hg_now_s(), took = now - progress->last_epoch_at;
  progress->last_epoch_at = now;
  progress->mean_seconds = progress->mean_seconds > 0 ? 0.9 * progress->mean_seconds + 0.1 * took : took;
  if (progress->quiet) return;
  double interval = progress->terminal ? terminal_interval_s : plain_interval_s;
  bool ends = record->epoch == progress->epochs;
  if (now - progress->last_shown >= interval || (ends && progress->n_repeats == 1)) show(progress, record);
}

void hg_progress_end(hg_progress *progress)
{
  if (!progress->quiet && progress->terminal && progress->last_shown > 0) fputc('\n', stderr);
}

static void print_result(const hg_run_summary *s, FILE *to)
{
  if (s->n_repeats == 0) return;
  const hg_repeat_result *last = &s->repeats[s->n_repeats - 1];
  const char *metric = hg_metric_name(s->metric);
  double mean, deviation;
  hg_summary_test(s, &mean, &deviation);
  if (isnan(mean))
    fprintf(to, "%-21s none: nothing labelled to test with\n", "test score");
  else if (s->n_repeats > 1)
    fprintf(to, "test %-16s %.4f +- %.4f over %d seeds, at the best validation epoch\n", metric, mean, deviation,
            s->n_repeats);
  else if (last->best_epoch == 0) // no validation score ever chose one
    fprintf(to, "test %-16s %.4f after the last evaluation: no validation score to choose by\n", metric, mean);
  else
    fprintf(to, "test %-16s %.4f at epoch %d, the best on validation (%.4f)\n", metric, mean, last->best_epoch,
            hg_scores_get(&last->val, s->metric));
  fprintf(to, "%-21s %.6g after %d epochs\n", "training loss", last->train_loss, last->epochs);
}

// only where passes leave something out
static void print_rows(const hg_run_summary *s, const char *name, const double *shares, const char *when, FILE *to)
{
  bool all = true;
  for (int l = 0; l < s->n_layers; l++) all = all && shares[l] >= 1;
  if (all) return;
  fprintf(to, "%-21s", name);
  for (int l = 0; l < s->n_layers; l++) fprintf(to, " %.3g", 100 * shares[l]);
  fprintf(to, " %% of all, first to last layer, in %s\n", when);
}

void hg_summary_print(const hg_run_summary *s, const char *folder, FILE *to)
{
  const double mib = 1024.0 * 1024.0;
  bool packed = s->halo_precision != HG_PACK_REAL;
  fprintf(to, "%-21s %s\n", "status", s->status);
  fprintf(to, "%-21s %d x %d threads\n", "ranks", s->ranks, s->threads);
  if (strcmp(s->precision, "float32") != 0) fprintf(to, "%-21s %s\n", "precision", s->precision);
  print_result(s, to);
  if (!isnan(s->epoch_seconds_median)) fprintf(to, "%-21s %.4g s median\n", "epoch", s->epoch_seconds_median);
  fprintf(to, "%-21s %.4g MiB an epoch in %lld messages%s%s (edge cut %lld, halo nodes %lld)\n", "halo exchange",
          (double)s->halo_bytes_per_epoch / mib, (long long)s->halo_messages_per_epoch, packed ? " of " : "",
          packed ? hg_pack_format_name(s->halo_precision) : "", (long long)s->edge_cut, (long long)s->halo_nodes);
  if (s->hosts > 1)
    fprintf(to, "%-21s %.4g MiB of these in %lld messages, %s\n", "between hosts",
            (double)s->halo_far_bytes_per_epoch / mib, (long long)s->halo_far_messages_per_epoch,
            strcmp(s->halo_hosts, "merged") == 0 ? "each row once" : "a row for each rank that needs it");
  if (s->halo_computed)
    fprintf(to, "%-21s computed of the halo's nodes too: the second layer exchanges nothing\n", "first layer");
  if (s->columns > 1)
    fprintf(to, "%-21s by columns: %d part%s of the graph, each on %d ranks\n", "aggregation", s->ranks / s->columns,
            s->ranks == s->columns ? "" : "s", s->columns);
  if (strcmp(s->halo_aggregation, "sources") != 0) fprintf(to, "%-21s %s\n", "halo aggregation", s->halo_aggregation);
  if (s->halo_sample < 1)
    fprintf(to, "%-21s %g of the halo's rows, others in each epoch\n", "halo sample", s->halo_sample);
  if (s->halo_staleness != HG_STALENESS_NONE)
    fprintf(to, "%-21s %s: training goes on with rows of earlier epochs\n", "halo staleness",
            hg_staleness_name(s->halo_staleness));
  print_rows(s, "active rows", s->active_rows, "training", to);
  print_rows(s, "scored rows", s->scored_rows, "evaluations", to);
  double overlap = hg_overlap_efficiency(&s->exchange);
  if (!isnan(overlap))
    fprintf(to, "%-21s %.4g s an epoch, of which %.4g s waited for (%.0f %% hidden); packing %.4g s\n", "communication",
            s->exchange.total, s->exchange.exposed, 100 * overlap, s->exchange.packing);
  fprintf(to,
          "%-21s %.4g MiB planned, %.4g used in arrays, %.4g resident at most, %.4g before loading (largest rank)\n",
          "memory", (double)s->planned_bytes / mib, (double)s->used_bytes / mib, (double)s->peak_rss_bytes / mib,
          (double)s->start_rss_bytes / mib);
  fprintf(to, "%-21s %s\n", "run folder", folder);
}
