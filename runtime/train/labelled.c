#include "runtime/train/labelled.h"

#include <string.h>

#include "core/base/alloc.h"

hg_status hg_labelled_create(hg_labelled *labelled, const hg_nodes *items)
{
  hg_labelled *l = labelled;
  hg_status rc = HG_OK;
  memset(l, 0, sizeof *l);
  l->task = items->task;
  l->n_classes = items->n_classes;
  l->truth = (hg_truth){items->labels, items->label_bits, items->targets, items->n_classes};
  l->original_ids = items->original_ids;
  l->n_items = items->n;
  for (int s = 0; s < HG_SPLIT_COUNT; s++) HG_TRY(HG_ALLOC(l->rows[s], items->n, "rows of a split"));
  for (hg_lid i = 0; i < (hg_lid)items->n && items->split; i++) {
    int s = items->split[i];
    if (hg_label_known(items, i)) l->rows[s][l->n_rows[s]++] = i;
  }
done:
  if (rc != HG_OK) hg_labelled_free(l);
  return rc;
}

void hg_labelled_free(hg_labelled *labelled)
{
  for (int s = 0; s < HG_SPLIT_COUNT; s++) hg_free(&labelled->rows[s]);
}
