#pragma once
#include "comm/stale_exchange.h"

/**
 * Every point-to-point tag of the program. Each use has its own, so that two phases can never take each other's
 * messages.
 */
typedef enum {
  HG_TAG_GATHER = 1,
  HG_TAG_ROW_LENGTHS,
  HG_TAG_ROW_INDICES,
  HG_TAG_ROW_VALUES,
  HG_TAG_IDS,
  HG_TAG_FLOATS_BACK,
  HG_TAG_WIRE,
  HG_TAG_TO_COLUMNS,
  HG_TAG_TO_ROWS,
  HG_TAG_SUM_COUNTS,
  HG_TAG_SUM_LISTS,
  HG_TAG_SPEED,
  HG_TAG_HOST_PLACES,
  HG_TAG_HOST_EXTRAS,
  HG_TAG_HOST_SUMS,
  HG_TAG_ROUTE,
  HG_TAG_EXCHANGE,                                    ///< + slot of the exchange, 0..HG_EXCHANGE_SLOTS-1
  HG_TAG_STALE = HG_TAG_EXCHANGE + HG_EXCHANGE_SLOTS, ///< + slot, 0..HG_STALE_SLOTS-1: keep it last
} hg_tag;
