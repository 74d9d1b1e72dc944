#pragma once
#include "models/model.h"
#include "runtime/coord/schedule.h"
#include "runtime/observe/record.h"
#include "runtime/train/scaling.h"

/**
 * All that a run needs to go on as if it had not stopped, and all that prediction needs. Weights are the same on every
 * rank, so a checkpoint knows nothing of parts but what exchanges keep (models/feedback.h), which is left out on other
 * parts: it can be resumed on another number of ranks.
 */
typedef struct {
  hg_task task;
  uint64_t dataset; ///< fingerprint of the graph that it was trained on
  hg_scales scales; ///< of the data that it was trained on; not known in files of an earlier version
  int repeat;       ///< from 0
  uint64_t seed;
  int epoch;          ///< the last one that is done; 0: none
  int ranks, columns; ///< that it was written on, and what they shared a part by; 0 in files of an earlier version
  int halo_computed;  ///< 1: its first layer computed halo rows (models/compute_first.h), -1: no; 0 in such files
  hg_off steps;       ///< of the optimiser in these epochs, whatever the batches were: Adam corrects its bias by them
  double train_loss;
  hg_schedule_state schedule;
  hg_scores best_val, best_test; ///< at schedule.best_epoch
  int n_results;
  hg_repeat_result *results; ///< [n_results] of finished repeats
  char *model; ///< JSON: type, inputs, outputs and [{name, rows, cols}] of the parameters; what must agree to go on
  hg_off n_parameters, n_state, n_moments;
  hg_real *parameters, *state, *moments; ///< state: batch norm's running moments
  hg_real *best_parameters, *best_state; ///< at schedule.best_epoch
  hg_off n_halo_shares, n_halo_errors;   ///< 0: nothing is kept (runtime/train/feedback_file.h)
  int64_t *halo_shares; ///< [2 x ranks] of each rank how many numbers it keeps, and the hash of the nodes they are of
  hg_real *halo_errors; ///< [n_halo_errors] rank after rank
} hg_checkpoint;

/** Allocates the arrays for a model and its optimiser's moments; `model` is described. */
hg_status hg_checkpoint_create(hg_checkpoint *checkpoint, const hg_model *model, hg_off n_moments, int max_results);
void hg_checkpoint_free(hg_checkpoint *checkpoint);

/** Writes it to `path` (HDF5, halognn_format "checkpoint"), under a temporary name first. Not collective. */
hg_status hg_checkpoint_write(const hg_checkpoint *checkpoint, const char *path);

/** Reads `path`, creating all arrays. HG_ERR_INPUT for a damaged file, or one of a build with another precision. */
hg_status hg_checkpoint_read(hg_checkpoint *checkpoint, const char *path);

/** Width of the model's outputs, from its description; 0 when that is damaged. */
int hg_checkpoint_outputs(const hg_checkpoint *checkpoint);

/** HG_ERR_INPUT when `found` (read from `path`) is of another model than `expected`. */
hg_status hg_checkpoint_match(const hg_checkpoint *found, const hg_checkpoint *expected, const char *path);

/** FOLDER/checkpoints/repeat_R_epoch_E.h5 */
void hg_checkpoint_path(const char *folder, int repeat, int epoch, char path[HG_PATH_MAX]);

/** FOLDER/checkpoints/best_R.h5: the weights at the best validation epoch of repeat R. */
void hg_checkpoint_best_path(const char *folder, int repeat, char path[HG_PATH_MAX]);

/** The newest checkpoint of a run's folder to go on from. HG_ERR_INPUT when there is none. */
hg_status hg_checkpoint_find_last(const char *folder, char path[HG_PATH_MAX]);

/** Removes the oldest checkpoints of a repeat, so that `keep` are left. */
void hg_checkpoint_prune(const char *folder, int repeat, int keep);
