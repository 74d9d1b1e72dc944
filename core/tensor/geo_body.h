#pragma once
/** The kernel of one instruction set: the bodies for the usual numbers of dimensions and for any. */
#include "core/tensor/geo_shared_tiles.h"
#include "core/tensor/geo_tiles.h"

ALWAYS_INLINE void rows_in_order(const hg_geo_task *t, hg_geo_way way, hg_off first, hg_off end, int dims,
                                 hg_geo_order order, hg_real *sums)
{
  if (order == HG_GEO_SHARED)
    shared_rows(t, first, end, dims, way, sums);
  else if (way == HG_GEO_GRADIENTS)
    backward_rows(t, first, end, dims, order == HG_GEO_BY_FILTER, sums);
  else
    forward_rows(t, first, end, dims, order == HG_GEO_BY_FILTER, way);
}

ALWAYS_INLINE void rows_by_dims(const hg_geo_task *t, hg_geo_way way, hg_off first, hg_off end, hg_geo_order order,
                                hg_real *sums)
{
  switch (t->geo->dims) {
  case 1:
    rows_in_order(t, way, first, end, 1, order, sums);
    break;
  case 2:
    rows_in_order(t, way, first, end, 2, order, sums);
    break;
  case 3:
    rows_in_order(t, way, first, end, 3, order, sums);
    break;
  default:
    rows_in_order(t, way, first, end, t->geo->dims, order, sums);
  }
}

ALWAYS_INLINE void rows_of(const hg_geo_task *t, hg_geo_way way, hg_off first, hg_off end, hg_real *sums)
{
  switch (t->geo->order) {
  case HG_GEO_BY_CHANNEL:
    rows_by_dims(t, way, first, end, HG_GEO_BY_CHANNEL, sums);
    break;
  case HG_GEO_BY_FILTER:
    rows_by_dims(t, way, first, end, HG_GEO_BY_FILTER, sums);
    break;
  case HG_GEO_SHARED:
    rows_by_dims(t, way, first, end, HG_GEO_SHARED, sums);
  }
}

ALWAYS_INLINE void geo_kernel(const hg_geo_task *t, hg_geo_way way, hg_off first, hg_off end, hg_real *sums)
{
  switch (way) {
  case HG_GEO_SUMS:
    rows_of(t, HG_GEO_SUMS, first, end, sums);
    break;
  case HG_GEO_GRADIENTS:
    rows_of(t, HG_GEO_GRADIENTS, first, end, sums);
    break;
  case HG_GEO_TARGETS:
    rows_of(t, HG_GEO_TARGETS, first, end, sums);
  }
}
