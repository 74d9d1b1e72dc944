#include "tests/support/spoil_h5.h"

#include <criterion/criterion.h>
#include <string.h>

void h5_spoil(const char *path, void (*edit)(hid_t file))
{
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
  cr_assert_geq(file, 0, "%s", path);
  edit(file);
  cr_assert_geq(H5Fclose(file), 0, "%s", path);
}

void h5_replace(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims, const void *data)
{
  H5Ldelete(file, name, H5P_DEFAULT);
  hid_t space = H5Screate_simple(rank, dims, NULL), options = H5Pcreate(H5P_DATASET_CREATE);
  hsize_t chunk[4] = {1, 1, 1, 1};
  if (!data) H5Pset_chunk(options, rank, chunk);
  hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, options, H5P_DEFAULT);
  cr_assert_geq(set, 0, "%s", name);
  if (data) cr_assert_geq(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), 0);
  H5Dclose(set), H5Pclose(options), H5Sclose(space);
}

void h5_poke(hid_t file, const char *name, hsize_t at, hid_t type, const void *value)
{
  hid_t set = H5Dopen2(file, name, H5P_DEFAULT), space = H5Dget_space(set);
  hsize_t start[2] = {at, 0}, count[2] = {1, 1}, one = 1;
  cr_assert_geq(H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL), 0, "%s", name);
  hid_t memory = H5Screate_simple(1, &one, NULL);
  cr_assert_geq(H5Dwrite(set, type, memory, space, H5P_DEFAULT, value), 0, "%s", name);
  H5Sclose(memory), H5Sclose(space), H5Dclose(set);
}

void h5_poke_long(hid_t file, const char *name, hsize_t at, int64_t value)
{
  h5_poke(file, name, at, H5T_NATIVE_INT64, &value);
}

void h5_set_number(hid_t file, const char *object, const char *name, int64_t value)
{
  H5Adelete_by_name(file, object, name, H5P_DEFAULT);
  hid_t space = H5Screate(H5S_SCALAR);
  hid_t id = H5Acreate_by_name(file, object, name, H5T_NATIVE_INT64, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  cr_assert_geq(H5Awrite(id, H5T_NATIVE_INT64, &value), 0);
  H5Aclose(id), H5Sclose(space);
}

void h5_set_text(hid_t file, const char *object, const char *name, const char *value)
{
  H5Adelete_by_name(file, object, name, H5P_DEFAULT);
  hid_t space = H5Screate(H5S_SCALAR), type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, strlen(value) + 1);
  hid_t id = H5Acreate_by_name(file, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  cr_assert_geq(H5Awrite(id, type, value), 0);
  H5Aclose(id), H5Tclose(type), H5Sclose(space);
}
