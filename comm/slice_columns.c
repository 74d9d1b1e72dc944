#include "comm/slice_columns.h"

#include "core/base/alloc.h"

static const char *const phase = "looking for columns";

static hg_status find_columns(hg_slice_columns *c, const hg_csr *a, hg_lid **list, int32_t **owners)
{
  hg_status rc = HG_OK;
  HG_TRY(hg_column_marks_create(&c->marks, a));
  HG_TRY(HG_ALLOC(*list, c->marks.count, "columns"));
  HG_TRY(HG_ALLOC(*owners, c->marks.count, "slices of columns"));
  hg_column_marks_list(&c->marks, a->n_cols, *list);
  for (hg_lid u = 0; u < c->marks.count; u++) (*owners)[u] = hg_slice_owner(c->slice, (*list)[u]);
done:
  return rc;
}

hg_status hg_slice_columns_create(hg_slice_columns *columns, const hg_slice *slice, const hg_csr *a)
{
  hg_status rc = HG_OK;
  hg_lid *list = NULL;
  int32_t *owners = NULL;
  *columns = (hg_slice_columns){.slice = slice};
  HG_TRY_ALL(slice->world, phase, find_columns(columns, a, &list, &owners));
  HG_TRY(hg_route_create(&columns->ask, slice->world, owners, columns->marks.count));
  HG_TRY_ALL(slice->world, phase, HG_ALLOC(columns->asked, columns->ask.n_out, "columns that are asked for"));
  HG_TRY(hg_route_move(&columns->ask, list, sizeof *list, columns->asked));
done:
  hg_free(&list);
  hg_free(&owners);
  if (rc != HG_OK) hg_slice_columns_free(columns);
  return rc;
}

void hg_slice_columns_free(hg_slice_columns *columns)
{
  hg_column_marks_free(&columns->marks);
  hg_route_free(&columns->ask);
  hg_free(&columns->asked);
}

hg_status hg_slice_columns_look_up(const hg_slice_columns *columns, const int32_t *of_node, int32_t *of_column)
{
  hg_status rc = HG_OK;
  int32_t *answers = NULL;
  hg_world *world = columns->slice->world;
  hg_gid first = columns->slice->first[hg_world_rank(world)];
  HG_TRY_ALL(world, phase, HG_ALLOC(answers, columns->ask.n_out, "answers about columns"));
  for (hg_off q = 0; q < columns->ask.n_out; q++) answers[q] = of_node[columns->asked[q] - first];
  HG_TRY(hg_route_back(&columns->ask, answers, sizeof *answers, of_column));
done:
  hg_free(&answers);
  return rc;
}
