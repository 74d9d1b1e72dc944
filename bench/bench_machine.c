#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/fma_kernels.h"
#include "core/base/alloc.h"
#include "core/base/cpu.h"
#include "core/base/rng.h"
#include "core/base/threads.h"

// Arrays far larger than any cache
enum { REALS = 1 << 25, GATHER_ROWS = 1 << 20, FMA_STEPS = 1 << 20 };

typedef struct {
  hg_real *a, *b, *c;
  hg_lid *order; ///< [GATHER_ROWS] random row numbers
  int width;     ///< of a gathered row
  hg_fma_loop *fma;
  double flops; ///< of one run of the loop, all threads
} machine;

static void copy(void *context)
{
  const machine *m = context;
#pragma omp parallel default(none) shared(m) num_threads(hg_threads())
  {
    hg_off first, end;
    hg_block(REALS, omp_get_num_threads(), omp_get_thread_num(), &first, &end);
    memcpy(m->a + first, m->b + first, (size_t)(end - first) * sizeof(hg_real));
  }
}

static void triad(void *context)
{
  const machine *m = context;
  hg_real *restrict a = m->a;
#pragma omp parallel for simd schedule(static) default(none) shared(m, a) num_threads(hg_threads())
  for (hg_off i = 0; i < REALS; i++) a[i] = m->b[i] + (hg_real)0.5 * m->c[i];
}

enum { LANES = 8 };

static void add_row(const hg_real *restrict row, int width, hg_real *restrict sum)
{
  for (int k = 0; k < width; k += LANES)
    for (int lane = 0; lane < LANES; lane++) sum[lane] += row[k + lane];
}

// Sums whole rows at random places: what SpMM would do without indices, weights and a result. REALS, GATHER_ROWS and
// the width are powers of two.
static void gather(void *context)
{
  const machine *m = context;
  hg_off rows = REALS / m->width < GATHER_ROWS ? REALS / m->width : GATHER_ROWS;
#pragma omp parallel default(none) shared(m, rows) num_threads(hg_threads())
  {
    hg_off first, end;
    hg_real sum[LANES] = {0};
    hg_block(rows, omp_get_num_threads(), omp_get_thread_num(), &first, &end);
    for (hg_off r = first; r < end; r++) add_row(m->b + (m->order[r] & (rows - 1)) * m->width, m->width, sum);
    m->a[LANES * omp_get_thread_num()] = sum[0];
  }
}

static void multiply_add(void *context)
{
  machine *m = context;
  double flops = 0;
#pragma omp parallel default(none) shared(m) reduction(+ : flops) num_threads(hg_threads())
  {
    hg_real sink = 1;
    flops += m->fma(FMA_STEPS, &sink);
    m->a[16 * omp_get_thread_num()] = sink;
  }
  m->flops = flops;
}

static void machine_free(machine *m)
{
  hg_free(&m->a);
  hg_free(&m->b);
  hg_free(&m->c);
  hg_free(&m->order);
}

static hg_status machine_create(machine *m)
{
  static hg_fma_loop *const loops[HG_SIMD_COUNT] = {hg_fma_loop_base, hg_fma_loop_avx2, hg_fma_loop_avx512};
  hg_status rc = HG_OK;
  hg_rng rng = {1, HG_STREAM_GENERATE};
  memset(m, 0, sizeof *m);
  m->fma = loops[hg_simd_level()];
  HG_TRY(HG_ALLOC(m->a, REALS, "arrays of the benchmark"));
  HG_TRY(HG_ALLOC(m->b, REALS, "arrays of the benchmark"));
  HG_TRY(HG_ALLOC(m->c, REALS, "arrays of the benchmark"));
  HG_TRY(HG_ALLOC(m->order, GATHER_ROWS, "arrays of the benchmark"));
  for (hg_off r = 0; r < GATHER_ROWS; r++) m->order[r] = (hg_lid)hg_rng_below(rng, (uint64_t)r, 0, GATHER_ROWS);
done:
  if (rc != HG_OK) machine_free(m);
  return rc;
}

enum { COPY, TRIAD, FMA, GATHER_64, GATHER_1024, CASES };

// The contexts of the two gathers are copies that differ in the width.
static void make_cases(machine *m, machine *narrow, machine *wide, hg_bench_case cases[CASES])
{
  *narrow = *m;
  *wide = *m;
  narrow->width = 64 / (int)sizeof(hg_real);
  wide->width = 1024 / (int)sizeof(hg_real);
  multiply_add(m);
  const double word = sizeof(hg_real), wide_rows = (double)REALS / wide->width;
  const hg_bench_case all[CASES] = {
      {.name = "copy", .run = copy, .context = m, .bytes = 2 * word * REALS},
      {.name = "triad", .run = triad, .context = m, .bytes = 3 * word * REALS},
      {.name = "multiply-add", .run = multiply_add, .context = m, .flops = m->flops},
      {.name = "gather rows of 64 bytes", .run = gather, .context = narrow, .bytes = 64.0 * GATHER_ROWS},
      {.name = "gather rows of 1024 bytes", .run = gather, .context = wide, .bytes = 1024 * wide_rows}};
  memcpy(cases, all, sizeof all);
}

hg_status hg_bench_machine(const hg_bench_options *options, hg_bench_report *report)
{
  hg_status rc = HG_OK;
  machine m, narrow, wide;
  hg_bench_case cases[CASES];
  HG_TRY(machine_create(&m));
  for (int k = 0; k < 2; k++) {
    hg_bench_options some = *options;
    if (k == 0) some.threads = 1;
    if (k == 1 && options->threads == 1) break;
    hg_threads_set(some.threads);
    make_cases(&m, &narrow, &wide, cases);
    HG_TRY(hg_bench_measure(cases, CASES, &some, NULL, report));
  }
done:
  machine_free(&m);
  return rc;
}

hg_status hg_bench_limits_measure(const hg_bench_options *options, hg_bench_limits *limits)
{
  hg_status rc = HG_OK;
  machine m, narrow, wide;
  hg_bench_case cases[CASES];
  hg_bench_times times[CASES];
  *limits = (hg_bench_limits){1, 1};
  if (options->instead) return HG_OK;
  HG_TRY(machine_create(&m));
  hg_threads_set(options->threads);
  make_cases(&m, &narrow, &wide, cases);
  HG_TRY(hg_bench_run(cases, GATHER_64, options->seconds, times));
  double by_copy = cases[COPY].bytes / times[COPY].min_s, by_triad = cases[TRIAD].bytes / times[TRIAD].min_s;
  limits->bandwidth = by_copy > by_triad ? by_copy : by_triad;
  limits->flops = cases[FMA].flops / times[FMA].min_s;
done:
  machine_free(&m);
  return rc;
}
