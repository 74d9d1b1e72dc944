#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "core/base/phases.h"
#include "core/base/timer.h"

TestSuite(phases);

static void spend(long milliseconds) { nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000}, NULL); }

Test(phases, every_moment_belongs_to_exactly_one)
{
  hg_phases p;
  memset(&p, 0xff, sizeof p);
  double start = hg_now_s();
  hg_phases_start(&p);
  for (int k = 0; k < 3; k++) {
    spend(4);
    hg_phases_lap(&p, HG_PHASE_AGGREGATE);
    spend(2);
    hg_phases_lap(&p, HG_PHASE_LOSS);
  }
  double took = hg_now_s() - start, sum = 0;
  for (int k = 0; k < HG_PHASE_COUNT; k++) sum += p.seconds[k];
  cr_expect(fabs(sum - took) < 1e-3, "phases sum to %g s of %g", sum, took);
  cr_expect_geq(p.seconds[HG_PHASE_AGGREGATE], 0.0119);
  cr_expect_geq(p.seconds[HG_PHASE_LOSS], 0.0059);
  cr_expect_eq(p.seconds[HG_PHASE_EXCHANGE], 0);
}

Test(phases, have_names_of_their_own)
{
  for (int a = 0; a < HG_PHASE_COUNT; a++) {
    cr_assert_not_null(hg_phase_name((hg_phase)a));
    for (int b = 0; b < a; b++) cr_expect_str_neq(hg_phase_name((hg_phase)a), hg_phase_name((hg_phase)b));
  }
  cr_expect_str_eq(hg_phase_name(HG_PHASE_CHECKPOINT), "checkpoint");
}
