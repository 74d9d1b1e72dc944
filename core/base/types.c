#include "core/base/types.h"

#include <inttypes.h>

hg_status hg_to_i32(int32_t *out, int64_t value, const char *what)
{
  if (value < INT32_MIN || value > INT32_MAX)
    return hg_fail(HG_ERR_INPUT, "%s: found %" PRId64 ", expected at most %d", what, value, INT32_MAX);
  *out = (int32_t)value;
  return HG_OK;
}
