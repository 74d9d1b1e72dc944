#include <criterion/criterion.h>
#include <omp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/threads.h"

TestSuite(threads);

Test(threads, blocks_cover_the_range_once_and_evenly)
{
  for (hg_off n = 0; n <= 40; n++) {
    for (int parts = 1; parts <= 12; parts++) {
      hg_off reached = 0;
      for (int k = 0; k < parts; k++) {
        hg_off first, end;
        hg_block(n, parts, k, &first, &end);
        cr_assert_eq(first, reached, "n %lld, part %d of %d", (long long)n, k, parts);
        cr_assert(end - first == n / parts || end - first == n / parts + 1);
        reached = end;
      }
      cr_assert_eq(reached, n);
    }
  }
}

Test(threads, blocks_of_huge_ranges_do_not_overflow)
{
  hg_off first, end, n = INT64_MAX;
  hg_block(n, 7, 6, &first, &end);
  cr_expect_eq(end, n);
  cr_expect_eq(first, n - n / 7);
}

Test(threads, as_many_as_asked_for)
{
  hg_threads_set(3);
  cr_expect_eq(hg_threads(), 3);
  cr_expect_eq(omp_get_max_threads(), 3);
}

Test(threads, without_a_wish_the_environment_or_the_processors_decide)
{
  cr_expect_geq(hg_processors(), 1);
  unsetenv("OMP_NUM_THREADS");
  hg_threads_set(0);
  cr_expect_eq(hg_threads(), hg_processors());
}

Test(threads, are_described_and_pinned_only_to_a_mask_of_their_own)
{
  char text[192];
  cpu_set_t all, two;
  cr_assert_eq(sched_getaffinity(0, sizeof all, &all), 0);
  CPU_ZERO(&two);
  for (size_t k = 0; k < CPU_SETSIZE && CPU_COUNT(&two) < 2; k++)
    if (CPU_ISSET(k, &all)) CPU_SET(k, &two);
  int n = CPU_COUNT(&two);
  cr_assert_eq(sched_setaffinity(0, sizeof two, &two), 0);
  hg_threads_set(n);
  hg_threads_pin();
  hg_threads_describe(text, sizeof text);
  bool chosen = n == 2 && n < sysconf(_SC_NPROCESSORS_ONLN) && hg_processors() == n;
  cr_expect_not_null(strstr(text, chosen ? "2 threads, pinned" : "not pinned"), "%s", text);
  cr_expect_eq(hg_processors() <= n, 1, "the first thread is still free: %s", text);
  hg_threads_set(1);
  hg_threads_describe(text, sizeof text);
  cr_expect_not_null(strstr(text, "1 thread, "), "%s", text);
}

Test(threads, bound_by_the_user_are_left_alone)
{
  char text[192];
  setenv("OMP_PROC_BIND", "true", 1);
  hg_threads_set(2);
  hg_threads_pin();
  hg_threads_describe(text, sizeof text);
  cr_expect_not_null(strstr(text, "bound by OpenMP's variables"), "%s", text);
}
