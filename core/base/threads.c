#include "core/base/threads.h"

#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/hash.h"
#include "core/base/quota.h"

static int threads;
static bool pinned;

static int mask_size(void)
{
  cpu_set_t mask;
  return sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
}

int hg_processors(void)
{
  int n = mask_size();
  double quota = hg_quota();
  if (quota < n) n = (int)quota;
  return n > 1 ? n : 1;
}

uint64_t hg_processors_key(void)
{
  cpu_set_t mask;
  uint64_t key = HG_HASH;
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return 0;
  for (size_t k = 0; k < CPU_SETSIZE; k++)
    if (CPU_ISSET(k, &mask)) key = hg_hash_word(key, k);
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

static bool bound_by_environment(void)
{
  return getenv("OMP_PROC_BIND") || getenv("OMP_PLACES") || getenv("GOMP_CPU_AFFINITY");
}

void hg_threads_pin(void)
{
  cpu_set_t mask;
  int n = mask_size();
  if (pinned || bound_by_environment() || hg_threads() < 2 || hg_threads() != n || hg_processors() != n) return;
  if (n >= sysconf(_SC_NPROCESSORS_ONLN) || sched_getaffinity(0, sizeof mask, &mask) != 0) return;
#pragma omp parallel default(none) shared(mask) num_threads(hg_threads())
  {
    int left = omp_get_thread_num();
    for (size_t k = 0; left > 0 && k < CPU_SETSIZE; k++) {
      if (!CPU_ISSET(k, &mask)) continue;
      if (--left > 0) continue;
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(k, &one);
      (void)sched_setaffinity(0, sizeof one, &one); // not bound is only slower
    }
  }
  pinned = true;
}

// "0-3,8" of the mask
static void list_processors(char *text, size_t size)
{
  cpu_set_t mask;
  size_t used = 0;
  text[0] = '\0';
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return;
  for (size_t k = 0; k < CPU_SETSIZE && used < size; k++) {
    size_t end = k;
    while (end < CPU_SETSIZE && CPU_ISSET(end, &mask)) end++;
    if (end == k) continue;
    int written = end - k > 1 ? snprintf(text + used, size - used, "%s%zu-%zu", used ? "," : "", k, end - 1)
                              : snprintf(text + used, size - used, "%s%zu", used ? "," : "", k);
    used += (size_t)written;
    k = end;
  }
}

void hg_threads_describe(char *text, size_t size)
{
  char list[128], quota[48] = "";
  list_processors(list, sizeof list);
  if (hg_quota() < mask_size()) snprintf(quota, sizeof quota, " (quota %.3g)", hg_quota());
  snprintf(text, size, "processors %s%s, %d thread%s, %s", list, quota, hg_threads(), hg_threads() == 1 ? "" : "s",
           pinned                   ? "pinned"
           : bound_by_environment() ? "bound by OpenMP's variables"
                                    : "not pinned");
}

// On cores of its own Cora's epoch takes a tenth longer than with libgomp's 300,000; beside two busy programs on two
// processors a fortieth.
static const char spins[] = "1000";

void hg_threads_limit_spinning(char **argv)
{
  const char *preloaded = getenv("LD_PRELOAD");
  if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY") || hg_processors() == 1) return;
  if (preloaded && strstr(preloaded, "vgpreload")) return; // valgrind would lose sight of the program
  if (setenv("GOMP_SPINCOUNT", spins, 1) == 0) (void)execv("/proc/self/exe", argv);
}

void hg_block(hg_off n, int parts, int k, hg_off *first, hg_off *end)
{
  hg_off size = n / parts, rest = n % parts;
  *first = k * size + (k < rest ? k : rest);
  *end = *first + size + (k < rest);
}
