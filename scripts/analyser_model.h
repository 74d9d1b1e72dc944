#pragma once
// Put before each file that clang-tidy analyses (scripts/test.sh tidy). It sees one file at a time, so it does not know
// that hg_fail never gives HG_OK, that memory is there when hg_alloc says so, and that ranks never agree on something
// better than what each brought.
#include "comm/world.h"
#include "core/base/alloc.h"

#define hg_fail(code, ...)    ((void)(hg_fail)((code), __VA_ARGS__), (code))
#define hg_context(code, ...) ((void)(hg_context)((code), __VA_ARGS__), (code))

void *model_memory(hg_off count, size_t size);

#undef HG_ALLOC
#define HG_ALLOC(ptr, count, what) (((ptr) = model_memory((hg_off)(count), sizeof *(ptr))) ? HG_OK : HG_ERR_MEMORY)

#undef HG_TRY_ALL
#define HG_TRY_ALL(world, phase, call)                             \
  do {                                                             \
    if ((rc = (call)) != HG_OK) goto done;                         \
    if ((rc = hg_agree((world), rc, (phase))) != HG_OK) goto done; \
  } while (0)
