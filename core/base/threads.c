#include "core/base/threads.h"

#include <omp.h>
#include <sched.h>
#include <stdlib.h>

static int threads;

int hg_processors(void)
{
  cpu_set_t mask;
  return sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
}

uint64_t hg_processors_key(void)
{
  cpu_set_t mask;
  uint64_t key = 14695981039346656037u; // FNV-1a
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return 0;
  for (size_t k = 0; k < CPU_SETSIZE; k++)
    if (CPU_ISSET(k, &mask)) key = (key ^ k) * 1099511628211u;
  return key;
}

bool hg_threads_given(void) { return getenv("OMP_NUM_THREADS") != NULL; }

void hg_threads_set(int n)
{
  if (n <= 0) n = hg_threads_given() ? omp_get_max_threads() : hg_processors();
  threads = n;
  omp_set_num_threads(n);
}

int hg_threads(void)
{
  if (!threads) hg_threads_set(0);
  return threads;
}

void hg_block(hg_off n, int parts, int k, hg_off *first, hg_off *end)
{
  hg_off size = n / parts, rest = n % parts;
  *first = k * size + (k < rest ? k : rest);
  *end = *first + size + (k < rest);
}
