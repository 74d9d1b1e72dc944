#include "tests/support/close.h"

#include <criterion/criterion.h>
#include <math.h>

void expect_close(const hg_real *a, const hg_real *b, hg_off n, double tolerance, const char *what)
{
  hg_off worst = -1;
  double largest = 0;
  for (hg_off i = 0; i < n; i++) {
    double x = (double)a[i], y = (double)b[i];
    double difference = fabs(x - y) / fmax(1, fmax(fabs(x), fabs(y)));
    if (!(difference <= largest)) {
      largest = difference;
      worst = i;
    }
  }
  cr_expect(largest <= tolerance, "%s: element %lld: %.9g and %.9g differ by %.3g, allowed %.3g", what,
            (long long)worst, worst < 0 ? 0.0 : (double)a[worst], worst < 0 ? 0.0 : (double)b[worst], largest,
            tolerance);
}
