// What is exchanged once, and what a set-up refuses.
#include <limits.h>
#include <string.h>

#include "comm/stale_exchange.h"
#include "core/base/alloc.h"
#include "tests/mpi/random_part.h"
#include "tests/support/mpi_case.h"

enum { SEED = 23, COLUMNS = 50 };

static void begin(hg_world *world, parts_kind kind, hg_part *part, hg_links *links)
{
  check_ok(random_part(part, kind, hg_world_size(world), hg_world_rank(world), SEED));
  check_ok(hg_links_create(links, world, part));
}

static void end(hg_part *part, hg_links *links)
{
  hg_links_free(links);
  random_part_free(part);
}

static void ids_come_from_their_owners(hg_world *world)
{
  for (int kind = 0; kind < PARTS_KINDS; kind++) {
    hg_part part;
    hg_links links;
    hg_gid *ids;
    begin(world, (parts_kind)kind, &part, &links);
    check_ok(HG_ALLOC(ids, part.n_owned + part.n_halo, "ids"));
    for (hg_lid i = 0; i < part.n_owned; i++) ids[i] = 1000 - 3 * (part.first + i);
    check_ok(hg_exchange_ids(world, &links, ids));
    for (hg_lid h = 0; h < part.n_halo; h++)
      check(ids[part.n_owned + h] == 1000 - 3 * part.halo_ids[h], "%s: id of halo node %d", parts_kind_names[kind], h);
    hg_free(&ids);
    end(&part, &links);
  }
}

// The row of a node: 0 to 8 entries, a function of its global id.
static hg_off entries_of(hg_gid id) { return id % 9; }
static hg_lid column_of(hg_gid id, hg_off e) { return (hg_lid)((id + 5 * e) % COLUMNS); }
static hg_real value_of(hg_gid id, hg_off e) { return (hg_real)(10 * id + e); }

static void make_rows(hg_csr *x, const hg_part *part, bool with_values)
{
  hg_off entries = 0;
  for (hg_lid i = 0; i < part->n_owned; i++) entries += entries_of(part->first + i);
  if (!check_ok(hg_csr_create(x, part->n_owned, COLUMNS, entries, with_values, "rows"))) return;
  for (hg_lid i = 0; i < part->n_owned; i++) {
    hg_gid id = part->first + i;
    x->indptr[i + 1] = x->indptr[i] + entries_of(id);
    for (hg_off e = 0; e < entries_of(id); e++) {
      x->indices[x->indptr[i] + e] = column_of(id, e);
      if (with_values) x->values[x->indptr[i] + e] = value_of(id, e);
    }
  }
}

static bool row_is(const hg_csr *x, hg_lid row, hg_gid id)
{
  hg_off first = x->indptr[row];
  if (x->indptr[row + 1] - first != entries_of(id)) return false;
  for (hg_off e = 0; e < entries_of(id); e++)
    if (x->indices[first + e] != column_of(id, e) || (x->values && x->values[first + e] != value_of(id, e)))
      return false;
  return true;
}

static void sparse_rows_come_from_their_owners(hg_world *world)
{
  for (int kind = 0; kind < 2 * PARTS_KINDS; kind++) {
    hg_part part;
    hg_links links;
    hg_csr x = {0};
    begin(world, (parts_kind)(kind / 2), &part, &links);
    make_rows(&x, &part, kind % 2);
    check_ok(hg_exchange_csr_rows(world, &links, &x));
    check(x.n_rows == (hg_off)part.n_owned + part.n_halo && x.n_cols == COLUMNS, "%lld rows", (long long)x.n_rows);
    check_ok(hg_csr_check(&x));
    check((x.values != NULL) == kind % 2, "values or none");
    for (hg_lid i = 0; i < (hg_lid)x.n_rows; i++) {
      hg_gid id = i < part.n_owned ? part.first + i : part.halo_ids[i - part.n_owned];
      check(row_is(&x, i, id), "%s: row %d of %d owned", parts_kind_names[kind / 2], i, part.n_owned);
    }
    hg_csr_free(&x);
    end(&part, &links);
  }
}

static void expect_error(hg_status found, hg_status expected, const char *text)
{
  check(found == expected, "status %d, expected %d: %s", (int)found, (int)expected, hg_error_text());
  check(strstr(hg_error_text(), text) != NULL, "expected '%s', found '%s'", text, hg_error_text());
}

static void parts_for_another_number_of_ranks(hg_world *world)
{
  hg_part part;
  hg_links links;
  check_ok(random_part(&part, PARTS_RANDOM, hg_world_size(world) + 1, hg_world_rank(world), SEED));
  expect_error(hg_links_create(&links, world, &part), HG_ERR_INPUT, "parts, but");
  random_part_free(&part);
}

static void part_of_another_rank(hg_world *world)
{
  hg_part part;
  hg_links links;
  int rank = hg_world_rank(world), other = rank == 1 ? 0 : rank;
  check_ok(random_part(&part, PARTS_RANDOM, hg_world_size(world), other, SEED));
  expect_error(hg_links_create(&links, world, &part), HG_ERR_INPUT, "rank 1 holds part 0");
  random_part_free(&part);
}

static void node_that_its_owner_has_not(hg_world *world)
{
  hg_part part;
  hg_links links;
  check_ok(random_part(&part, PARTS_RING, hg_world_size(world), hg_world_rank(world), SEED));
  if (hg_world_rank(world) == 0) part.halo_ids[0] = part.n_global + 3;
  expect_error(hg_links_create(&links, world, &part), HG_ERR_INTERNAL, "rank 0 asks for node");
  random_part_free(&part);
}

static void halo_without_owner(hg_world *world)
{
  hg_part part;
  hg_links links;
  check_ok(random_part(&part, PARTS_RING, hg_world_size(world), hg_world_rank(world), SEED));
  if (hg_world_rank(world) == 0) part.n_halo++;
  expect_error(hg_links_create(&links, world, &part), HG_ERR_INTERNAL, "halo nodes, but");
  random_part_free(&part);
}

static void ranks_that_disagree_about_an_owner(hg_world *world)
{
  hg_part part;
  hg_links links;
  check_ok(random_part(&part, PARTS_RANDOM, hg_world_size(world), hg_world_rank(world), SEED));
  if (hg_world_rank(world) == 1) {
    part.first--;
    part.n_owned++;
  }
  expect_error(hg_links_create(&links, world, &part), HG_ERR_INTERNAL, "rank 1 owns nodes");
  random_part_free(&part);
}

static void try_exchange(hg_world *world, int width, int slot, hg_status status, const char *text)
{
  hg_part part;
  hg_links links;
  hg_exchange *exchange;
  begin(world, PARTS_RING, &part, &links);
  hg_matrix x = hg_matrix_view(NULL, (hg_off)part.n_owned + part.n_halo, width);
  expect_error(hg_exchange_create(&exchange, world, &links, HG_FILL_HALO, &x, slot), status, text);
  check(exchange == NULL, "no exchange after an error");
  end(&part, &links);
}

static void widths_that_differ(hg_world *world)
{
  try_exchange(world, 4 + hg_world_rank(world), 0, HG_ERR_INTERNAL,
               "width of an exchange differs between ranks: from 4 to ");
}

static void slot_out_of_range(hg_world *world)
{
  try_exchange(world, 4, HG_EXCHANGE_SLOTS, HG_ERR_INTERNAL, "exchange slot 64");
}

static void messages_too_large_for_mpi(hg_world *world)
{
  try_exchange(world, INT_MAX / 4, 0, HG_ERR_INPUT, "at most 2147483647 are possible");
}

static void matrix_of_another_shape(hg_world *world)
{
  hg_part part;
  hg_links links;
  hg_exchange *exchange;
  hg_matrix x = {0};
  begin(world, PARTS_RANDOM, &part, &links);
  check_ok(hg_matrix_create(&x, (hg_off)part.n_owned + part.n_halo + (hg_world_rank(world) == 1), 3, "x"));
  expect_error(hg_exchange_create(&exchange, world, &links, HG_ADD_HALO, &x, 0), HG_ERR_INTERNAL, "rank 1, ");
  hg_matrix_free(&x);
  end(&part, &links);
}

static void try_stale(hg_world *world, int more_rows, int width, int slot, hg_status status, const char *text)
{
  const hg_staleness how = {.kind = HG_STALENESS_PIPELINE};
  const hg_exchange_packing packing = {.format = HG_PACK_REAL};
  hg_part part;
  hg_links links;
  hg_stale_exchange *exchange;
  begin(world, PARTS_RING, &part, &links);
  hg_matrix x = hg_matrix_view(NULL, (hg_off)part.n_owned + part.n_halo + more_rows, width);
  expect_error(hg_stale_exchange_create(&exchange, world, &how, &links, HG_FILL_HALO, &x, slot, &packing), status,
               text);
  check(exchange == NULL, "no exchange after an error");
  end(&part, &links);
}

static void stale_slot_out_of_range(hg_world *world)
{
  try_stale(world, 0, 4, HG_STALE_SLOTS, HG_ERR_INTERNAL, "stale exchange 2048");
}

static void stale_matrix_of_another_shape(hg_world *world)
{
  try_stale(world, 1, 4, 0, HG_ERR_INTERNAL, "but the part has");
}

static void stale_messages_too_large_for_mpi(hg_world *world)
{
  try_stale(world, 0, INT_MAX / 8, 0, HG_ERR_INPUT, "at most 2147483647 bytes are possible");
}

const mpi_case setup_cases[] = {
    {"setup/ids_come_from_their_owners", ids_come_from_their_owners, "1 2 3 4 7"},
    {"setup/sparse_rows_come_from_their_owners", sparse_rows_come_from_their_owners, "1 2 3 4 7"},
    {"setup/parts_for_another_number_of_ranks", parts_for_another_number_of_ranks, "1 3"},
    {"setup/part_of_another_rank", part_of_another_rank, "2 3"},
    {"setup/node_that_its_owner_has_not", node_that_its_owner_has_not, "2 3"},
    {"setup/halo_without_owner", halo_without_owner, "2 3"},
    {"setup/ranks_that_disagree_about_an_owner", ranks_that_disagree_about_an_owner, "2 3"},
    {"setup/widths_that_differ", widths_that_differ, "2 3"},
    {"setup/slot_out_of_range", slot_out_of_range, "2"},
    {"setup/messages_too_large_for_mpi", messages_too_large_for_mpi, "2 3"},
    {"setup/matrix_of_another_shape", matrix_of_another_shape, "2 3"},
    {"setup/stale_slot_out_of_range", stale_slot_out_of_range, "2"},
    {"setup/stale_matrix_of_another_shape", stale_matrix_of_another_shape, "2"},
    {"setup/stale_messages_too_large_for_mpi", stale_messages_too_large_for_mpi, "2 3"},
    {0},
};
