#include "runtime/observe/scores.h"

#include <math.h>

hg_scores hg_scores_none(void) { return (hg_scores){NAN, NAN, NAN, NAN, NAN, NAN}; }

double hg_scores_get(const hg_scores *scores, hg_metric metric)
{
  switch (metric) {
  case HG_METRIC_ACCURACY:
    return scores->accuracy;
  case HG_METRIC_MICRO_F1:
    return scores->micro_f1;
  case HG_METRIC_MACRO_F1:
    return scores->macro_f1;
  case HG_METRIC_ROC_AUC:
    return scores->roc_auc;
  case HG_METRIC_RMSE:
    return scores->rmse;
  default:
    return NAN;
  }
}

const char *hg_metric_name(hg_metric metric)
{
  static const char *const names[] = {"auto", "accuracy", "micro_f1", "macro_f1", "roc_auc", "rmse"};
  return names[metric];
}

hg_metric hg_metric_resolve(hg_metric metric, hg_task task)
{
  if (metric != HG_METRIC_AUTO) return metric;
  return task == HG_TASK_REGRESSION   ? HG_METRIC_RMSE
         : task == HG_TASK_MULTILABEL ? HG_METRIC_MICRO_F1
                                      : HG_METRIC_ACCURACY;
}

double hg_metric_gain(hg_metric metric, double score) { return metric == HG_METRIC_RMSE ? -score : score; }
