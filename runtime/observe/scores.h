#pragma once
#include "core/graph/graph.h"
#include "runtime/config/config.h"

/**
 * How good the outputs are on the nodes or graphs of one split; NaN where a score does not apply to the task or was not
 * asked for.
 */
typedef struct {
  double loss;
  double accuracy;           ///< single label: share of right classes; multi-label: share of right bits
  double micro_f1, macro_f1; ///< macro: mean over the classes that occur or are predicted
  double roc_auc;            ///< two classes: of the second; multi-label: mean over labels that have both kinds
  double rmse;               ///< in the targets' own units
} hg_scores;

/** All scores NaN. */
hg_scores hg_scores_none(void);

/** The score that `metric` names (not AUTO). */
double hg_scores_get(const hg_scores *scores, hg_metric metric);

/** "accuracy", "micro_f1", ...: the key of summary.json after "test_". */
const char *hg_metric_name(hg_metric metric);

/** What AUTO means for a task: accuracy, micro F1 or RMSE. */
hg_metric hg_metric_resolve(hg_metric metric, hg_task task);

/** The score with its sign such that larger is better (RMSE is negated). */
double hg_metric_gain(hg_metric metric, double score);
