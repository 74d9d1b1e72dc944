#pragma once
#include "runtime/train/trainer.h"

/* What exchanges keep, in checkpoints (models/feedback.h): the only state that belongs to parts. */

/**
 * Gathers what all ranks keep to rank 0's checkpoint, until hg_feedback_drop; nothing without error feedback
 * and staleness.
 * Collective.
 */
hg_status hg_feedback_save(const hg_trainer *trainer, hg_checkpoint *checkpoint);

/**
 * Takes each rank's share back from a checkpoint that all ranks have read. Where it was written by other parts, or
 * kept nothing or something else, all begin with nothing kept, and a warning says so. Collective.
 */
void hg_feedback_restore(hg_trainer *trainer, const hg_checkpoint *checkpoint);

/** Frees the checkpoint's copy. */
void hg_feedback_drop(hg_checkpoint *checkpoint);
