#pragma once
#include <float.h>
#include <stdint.h>

#include "core/base/status.h"

typedef int32_t hg_lid; ///< a node's number in one rank or in one graph in memory
typedef int64_t hg_gid; ///< a node's global id, or its original id
typedef int64_t hg_off; ///< a position in an edge array, a count of edges or of nodes

/** The arithmetic of training: float, or double in the float64 build (CMake option HALOGNN_FLOAT64). */
#ifdef HALOGNN_FLOAT64
typedef double hg_real;
#else
typedef float hg_real;
#endif

/** Narrows `value` to 32 bits. HG_ERR_INPUT when it does not fit; `what` names it in the message ("nodes"). */
hg_status hg_to_i32(int32_t *out, int64_t value, const char *what);
