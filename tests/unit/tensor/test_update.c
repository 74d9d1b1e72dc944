// The optimisers' steps: the formulas are tested with the optimisers, here the variants of the kernels.
#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/base/threads.h"
#include "core/tensor/update.h"
#include "tests/support/naive.h"

enum { N = 40007 };

static const hg_update u = {.rate = 0.01,
                            .decay = 1e-3,
                            .momentum = 0.9,
                            .beta1 = 0.9,
                            .beta2 = 0.999,
                            .epsilon = 1e-8,
                            .correction1 = 0.1,
                            .correction2 = 0.001,
                            .shrink = 0.02};

// a step of each kind on the same numbers: w, m, v one after the other, then SGD's w and v
static hg_matrix stepped(int threads, const char *simd)
{
  hg_matrix x = random_matrix(5, N, 3), g = random_matrix(1, N, 4);
  hg_real *w = x.data, *m = w + N, *v = m + N;
  for (int k = 0; k < N; k++) v[k] = v[k] < 0 ? -v[k] : v[k];
  setenv("HALOGNN_SIMD", simd, 1);
  hg_threads_set(threads);
  hg_update_adam(&u, g.data, w, m, v, N);
  hg_update_sgd(&u, g.data, v + N, v + 2 * N, N);
  hg_matrix_free(&g);
  return x;
}

Test(update, same_bits_on_any_processor_and_number_of_threads)
{
  const char *const levels[] = {"base", "avx2", "avx512"};
  hg_matrix expected = stepped(1, "base");
  for (int k = 0; k < 3; k++) {
    for (int threads = 1; threads <= 3; threads += 2) {
      hg_matrix found = stepped(threads, levels[k]);
      cr_expect_arr_eq(found.data, expected.data, (size_t)5 * N * sizeof(hg_real), "%s, %d threads", levels[k],
                       threads);
      hg_matrix_free(&found);
    }
  }
  hg_matrix_free(&expected);
}
