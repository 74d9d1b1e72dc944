#pragma once
#include "core/graph/store_h5.h"
#include "runtime/train/scaling.h"

/** Writes the group /scales of a checkpoint; scales that are not known are not written. */
hg_status hg_scales_write(const hg_scales *scales, const hg_h5 *file);

/**
 * Reads it; without the group, which files of an earlier version do not have, nothing is known.
 * @param inputs, targets   widths of the model: there is a scale for each target, and for each input or for none
 * @return   HG_ERR_INPUT for other sizes, and for numbers that scale nothing: not finite, or factors that are not
 *           above 0. The caller frees `scales` then too.
 */
hg_status hg_scales_read(hg_scales *scales, const hg_h5 *file, int inputs, int targets);
