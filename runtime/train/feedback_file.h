#pragma once
#include "runtime/train/trainer.h"

/* Error feedback in checkpoints. It is the only state that belongs to parts: what a rank has not sent yet. */

/**
 * Gathers what all ranks keep to rank 0's checkpoint, until hg_feedback_drop; nothing without error feedback.
 * Collective.
 */
hg_status hg_feedback_save(const hg_trainer *trainer, hg_checkpoint *checkpoint);

/**
 * Takes each rank's share back from a checkpoint that all ranks have read. Where it was written by other parts, or
 * without error feedback, all begin with nothing kept, and a warning says so. Collective.
 */
void hg_feedback_restore(hg_trainer *trainer, const hg_checkpoint *checkpoint);

/** Frees the checkpoint's copy. */
void hg_feedback_drop(hg_checkpoint *checkpoint);
