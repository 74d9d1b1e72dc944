#pragma once
#include "models/model.h"

/* Error feedback of a model's exchanges: what this rank has rounded off and will send later. */

/** How many numbers this rank keeps; 0 without error feedback. */
hg_off hg_feedback_count(const hg_model *model);

/** A hash of the nodes that they are of: equal for the same part of the same parts. */
uint64_t hg_feedback_key(const hg_model *model);

/** Copies them all. @param numbers  [hg_feedback_count] */
void hg_feedback_get(const hg_model *model, hg_real *numbers);

/** Sets them all; NULL: to 0, as if nothing had been sent. */
void hg_feedback_set(hg_model *model, const hg_real *numbers);
