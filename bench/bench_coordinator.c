#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "core/base/alloc.h"
#include "core/base/timer.h"
#include "runtime/coord/coordinator.h"
#include "runtime/coord/worker.h"

enum { WORKERS_MAX = 8, EPOCHS = 500, WARM_UP = 20 };

typedef struct {
  const char *address;
  int rank, ranks;
  pthread_barrier_t *together;
  double work_s;   ///< what an epoch computes
  double *samples; ///< [EPOCHS] seconds in next_plan and report
  hg_status status;
  char text[256]; ///< of the failure
} worker_thread;

static void compute(double seconds)
{
  double end = hg_now_s() + seconds;
  while (hg_now_s() < end) {
  }
}

/**
 * The ranks meet once an epoch, as they do in the reduction of the loss; one that has failed goes on meeting the
 * others.
 */
static void run_epoch(worker_thread *t, hg_worker *worker, double *sample)
{
  double before = worker ? hg_worker_seconds(worker) : 0;
  hg_plan plan;
  if (t->status == HG_OK) t->status = hg_worker_next_plan(worker, &plan);
  compute(t->work_s);
  pthread_barrier_wait(t->together);
  if (t->status != HG_OK) return;
  const hg_report report = {.epoch = plan.epoch, .train_loss = 1.0 / plan.epoch, .evaluated = true};
  t->status = hg_worker_report(worker, &report);
  *sample = hg_worker_seconds(worker) - before;
}

static void run_worker(worker_thread *t)
{
  hg_worker *worker = NULL;
  t->status = hg_worker_connect(&worker, t->address, t->rank, t->ranks, 30);
  for (int k = 0; k < EPOCHS; k++) run_epoch(t, worker, &t->samples[k]);
  if (t->status != HG_OK) snprintf(t->text, sizeof t->text, "%s", hg_error_text());
  hg_worker_bye(&worker, t->status);
}

static int by_value(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/** The samples of rank 0, which shares its processor with the coordinator's thread. */
static void add_row(hg_bench_report *report, int ranks, double work_s, double *samples)
{
  double *from = samples + WARM_UP;
  int n = EPOCHS - WARM_UP;
  qsort(from, (size_t)n, sizeof *from, by_value);
  hg_bench_row row = {.threads = ranks,
                      .times = {n, from[0], from[n / 4], from[n / 2], from[3 * n / 4]},
                      .unit = "1/s",
                      .floor_why = ""};
  row.rate = 1 / (work_s + row.times.median_s);
  snprintf(row.name, sizeof row.name, "coordinator, epochs of %g ms", work_s * 1e3);
  report->rows[report->count++] = row;
}

static hg_status run_workers(const char *address, int ranks, double work_s, double *samples)
{
  worker_thread workers[WORKERS_MAX];
  pthread_barrier_t together;
  hg_status rc = HG_OK;
  for (int r = 0; r < ranks; r++)
    workers[r] = (worker_thread){address,         r,
                                 ranks,           &together,
                                 work_s,          samples + (size_t)r * EPOCHS,
                                 HG_ERR_INTERNAL, "no thread for each worker"};
  pthread_barrier_init(&together, NULL, (unsigned)ranks);
#pragma omp parallel num_threads(ranks) default(none) shared(workers, ranks)
  if (omp_get_num_threads() == ranks) run_worker(&workers[omp_get_thread_num()]);
  pthread_barrier_destroy(&together);
  for (int r = 0; r < ranks && rc == HG_OK; r++)
    if (workers[r].status != HG_OK) rc = hg_fail(workers[r].status, "%s", workers[r].text);
  return rc;
}

static hg_status measure(int ranks, double work_s, double *samples)
{
  hg_config config = hg_config_default();
  config.train.epochs = EPOCHS;
  config.train.patience = 0;
  const hg_coordinator_options options = {.config = &config, .ranks = ranks, .first_epoch = 1, .one_host = true};
  hg_coordinator *coordinator;
  char address[HG_ADDRESS_SIZE];
  hg_status rc = hg_coordinator_start(&coordinator, &options, address, sizeof address);
  if (rc != HG_OK) return rc;
  rc = run_workers(address, ranks, work_s, samples);
  hg_status end = hg_coordinator_stop(&coordinator);
  return rc == HG_OK ? end : rc;
}

hg_status hg_bench_coordinator(const hg_bench_options *options, hg_bench_report *report)
{
  static const int sizes[] = {1, 2, 4};
  static const double works_s[] = {0, 2e-3};
  enum { SIZES = sizeof sizes / sizeof *sizes, WORKS = sizeof works_s / sizeof *works_s };
  (void)options; // a fixed number of epochs: the seconds are not ours to choose
  hg_status rc = HG_OK;
  double *samples = NULL;
  if (report->count + SIZES * WORKS > HG_BENCH_ROWS)
    return hg_fail(HG_ERR_INTERNAL, "a benchmark report holds %d lines", HG_BENCH_ROWS);
  HG_TRY(HG_ALLOC(samples, WORKERS_MAX * EPOCHS, "times of a benchmark"));
  for (int k = 0; k < SIZES * WORKS; k++) {
    HG_TRY(measure(sizes[k % SIZES], works_s[k / SIZES], samples));
    add_row(report, sizes[k % SIZES], works_s[k / SIZES], samples);
  }
done:
  hg_free(&samples);
  return rc;
}
