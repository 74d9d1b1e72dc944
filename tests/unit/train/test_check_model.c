#include <criterion/criterion.h>
#include <stdio.h>

#include "runtime/train/check_model.h"

static hg_off pointers[1];
static const hg_features sparse = {.width = 10, .indptr = pointers}, dense = {.width = 10};

static hg_config config_of(const char *type, double input_dropout)
{
  hg_config c = hg_config_default();
  snprintf(c.model.type, sizeof c.model.type, "%s", type);
  c.model.input_dropout = input_dropout;
  c.dataset.dense_from = 0.25;
  return c;
}

Test(check_model, full_sparse_features_shall_be_dense)
{
  const hg_config c = config_of("gcn", 0);
  cr_expect(hg_wants_dense(&c, &sparse, 100, 251));
  cr_expect(!hg_wants_dense(&c, &sparse, 100, 250));
  cr_expect(!hg_wants_dense(&c, &dense, 100, 900));
  cr_expect(!hg_wants_dense(&c, &sparse, 0, 0));
}

Test(check_model, dropout_keeps_features_sparse_unless_layers_need_dense_ones)
{
  const hg_config dropped = config_of("gcn", 0.5), placed = config_of("geogcn", 0.5);
  cr_expect(!hg_wants_dense(&dropped, &sparse, 100, 900));
  cr_expect(hg_wants_dense(&placed, &sparse, 100, 900));
}
