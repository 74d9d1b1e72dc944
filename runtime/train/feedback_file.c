#include "runtime/train/feedback_file.h"

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/log.h"
#include "models/feedback.h"

static bool has_feedback(const hg_trainer *t)
{
  const hg_halo_options *halo = &t->config->model.halo;
  bool keeps = (halo->error_feedback && halo->precision != HG_PACK_REAL) || halo->staleness.kind != HG_STALENESS_NONE;
  return keeps && hg_world_size(t->world) > 1;
}

void hg_feedback_drop(hg_checkpoint *checkpoint)
{
  hg_free(&checkpoint->halo_shares);
  hg_free(&checkpoint->halo_errors);
  checkpoint->n_halo_shares = checkpoint->n_halo_errors = 0;
}

hg_status hg_feedback_save(const hg_trainer *trainer, hg_checkpoint *checkpoint)
{
  hg_off count = hg_feedback_count(&trainer->model);
  int64_t share[2] = {count, (int64_t)hg_feedback_key(&trainer->model)};
  hg_real *mine = NULL;
  void *shares = NULL, *errors = NULL;
  size_t *offsets = NULL;
  hg_status rc = HG_OK;
  if (!has_feedback(trainer)) return HG_OK;
  hg_feedback_drop(checkpoint);
  HG_TRY_ALL(trainer->world, "saving what exchanges keep", HG_ALLOC(mine, count, "what exchanges keep"));
  hg_feedback_get(&trainer->model, mine);
  HG_TRY(hg_gather(trainer->world, share, sizeof share, &shares, &offsets));
  checkpoint->halo_shares = shares;
  checkpoint->n_halo_shares = shares ? 2 * (hg_off)hg_world_size(trainer->world) : 0;
  hg_free(&offsets);
  HG_TRY(hg_gather(trainer->world, mine, (size_t)count * sizeof *mine, &errors, &offsets));
  checkpoint->halo_errors = errors;
  if (offsets) checkpoint->n_halo_errors = (hg_off)(offsets[hg_world_size(trainer->world)] / sizeof(hg_real));
done:
  hg_free(&mine);
  hg_free(&offsets);
  return rc;
}

// Where this rank's numbers begin, or -1 where its share is another's or the arrays do not fit each other
static hg_off place_of(const hg_trainer *t, const hg_checkpoint *c)
{
  int ranks = hg_world_size(t->world), rank = hg_world_rank(t->world);
  hg_off first = 0, all = 0;
  if (c->n_halo_shares != 2 * (hg_off)ranks) return -1;
  for (int r = 0; r < ranks; r++) {
    if (c->halo_shares[2 * r] < 0 || c->halo_shares[2 * r] > c->n_halo_errors - all) return -1;
    if (r < rank) first += c->halo_shares[2 * r];
    all += c->halo_shares[2 * r];
  }
  bool mine = c->halo_shares[2 * rank] == hg_feedback_count(&t->model) &&
              c->halo_shares[2 * rank + 1] == (int64_t)hg_feedback_key(&t->model);
  return mine && all == c->n_halo_errors ? first : -1;
}

void hg_feedback_restore(hg_trainer *trainer, const hg_checkpoint *checkpoint)
{
  if (!has_feedback(trainer)) return;
  hg_off first = place_of(trainer, checkpoint);
  double others = first < 0;
  hg_sum_doubles(trainer->world, &others, 1);
  if (others > 0 && hg_world_rank(trainer->world) == 0)
    hg_log(HG_LOG_WARN, "%s: the checkpoint is of other parts; what they %s is left out",
           trainer->config->model.halo.error_feedback ? "halo.error_feedback" : "halo.staleness",
           trainer->config->model.halo.error_feedback ? "had not sent yet" : "kept of their halo");
  hg_feedback_set(&trainer->model, others > 0 ? NULL : checkpoint->halo_errors + first);
}
