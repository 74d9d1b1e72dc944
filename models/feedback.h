#pragma once
#include "models/model.h"

/*
 * What a model's exchanges keep from epoch to epoch: with error feedback what this rank has rounded off and will send
 * later, with staleness the rows that it goes on with (comm/stale_exchange.h). Each function waits for what is under
 * way, so all ranks must have begun it.
 */

/** How many numbers this rank keeps; 0 without either. */
hg_off hg_feedback_count(const hg_model *model);

/** A hash of the nodes that they are of: equal for the same part of the same parts. */
uint64_t hg_feedback_key(const hg_model *model);

/** Copies them all. @param numbers  [hg_feedback_count] */
void hg_feedback_get(const hg_model *model, hg_real *numbers);

/** Sets them all; NULL: to what they are before a first epoch, as if nothing had been sent. */
void hg_feedback_set(hg_model *model, const hg_real *numbers);
