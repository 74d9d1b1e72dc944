#pragma once
#include <jansson.h>

#include "runtime/train/epoch_time.h"
#include "runtime/train/rank_plan.h"

/** One number of ranks, all that is known of it. */
typedef struct {
  const hg_traffic_plan *traffic;
  const hg_rank_plan *ranks;
  const hg_network *network;
} hg_plan_report;

/** As a table on standard output. */
void hg_plan_print(const hg_plan_report *report);

/** As a JSON object, to be freed by the caller. */
json_t *hg_plan_json(const hg_plan_report *report);
