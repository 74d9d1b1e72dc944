#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/files.h"
#include "tests/support/run.h"

static char *folder;

static void set_up(void) { folder = temporary_folder(); }
static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(files, .init = set_up, .fini = tear_down);

static bool is_folder(const char *path)
{
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static void expect_text(const char *path, const char *expected)
{
  char found[64] = "";
  FILE *file = fopen(path, "r");
  cr_assert_not_null(file, "%s is not there", path);
  cr_expect_not_null(fgets(found, sizeof found, file));
  fclose(file);
  cr_expect_str_eq(found, expected);
}

static void expect_error(hg_status found, hg_status expected, const char *part)
{
  cr_expect_eq(found, expected, "status %d, expected %d", (int)found, (int)expected);
  cr_expect_not_null(strstr(hg_error_text(), part), "found '%s', expected '%s' in it", hg_error_text(), part);
}

Test(files, makes_a_folder_with_its_parents)
{
  cr_expect_eq(hg_make_directories(path_in(folder, "a/b/c")), HG_OK);
  cr_expect(is_folder(path_in(folder, "a/b/c")));
  cr_expect_eq(hg_make_directories(path_in(folder, "a/b/c")), HG_OK, "it is there already");
  cr_expect_eq(hg_make_directories(path_in(folder, "d//e/")), HG_OK);
  cr_expect(is_folder(path_in(folder, "d/e")));
}

Test(files, makes_a_folder_from_the_working_directory)
{
  cr_assert_eq(chdir(folder), 0);
  cr_expect_eq(hg_make_directories("here/there"), HG_OK);
  cr_expect(is_folder(path_in(folder, "here/there")));
  cr_expect_eq(hg_make_directories("."), HG_OK);
}

Test(files, says_which_folder_cannot_be_made)
{
  char long_path[5000];
  memset(long_path, 'x', sizeof long_path - 1);
  long_path[sizeof long_path - 1] = '\0';
  write_text(path_in(folder, "file"), "text");
  expect_error(hg_make_directories(path_in(folder, "file")), HG_ERR_IO, "file: found a file, expected a folder");
  expect_error(hg_make_directories(path_in(folder, "file/sub")), HG_ERR_IO,
               "file/sub: cannot make the folder: Not a directory");
  expect_error(hg_make_directories("/proc/no/such"), HG_ERR_IO, "/proc/no: cannot make the folder");
  expect_error(hg_make_directories(""), HG_ERR_INPUT, "found an empty path");
  expect_error(hg_make_directories(long_path), HG_ERR_INPUT, "the path is too long");
}

Test(files, a_new_file_appears_when_it_is_committed)
{
  const char *path = path_in(folder, "out.txt");
  hg_new_file file;
  cr_assert_eq(hg_new_file_begin(&file, path), HG_OK);
  cr_expect_neq(access(file.temporary, F_OK), 0, "beginning creates nothing");
  write_text(file.temporary, "new");
  cr_expect_not(hg_file_exists(path));
  cr_assert_eq(hg_new_file_commit(&file), HG_OK);
  expect_text(path, "new");
  hg_new_file_abandon(&file);
  expect_text(path, "new");
}

Test(files, a_new_file_replaces_the_old_one_whole)
{
  const char *path = path_in(folder, "out.txt");
  write_text(path, "old and long");
  hg_new_file file;
  cr_assert_eq(hg_new_file_begin(&file, path), HG_OK);
  write_text(file.temporary, "new");
  expect_text(path, "old and long");
  cr_assert_eq(hg_new_file_commit(&file), HG_OK);
  expect_text(path, "new");
}

Test(files, an_abandoned_file_leaves_nothing)
{
  const char *path = path_in(folder, "out.txt");
  write_text(path, "old");
  hg_new_file file, never = {0};
  cr_assert_eq(hg_new_file_begin(&file, path), HG_OK);
  char temporary[sizeof file.temporary];
  memcpy(temporary, file.temporary, sizeof temporary);
  write_text(temporary, "half");
  hg_new_file_abandon(&file);
  cr_expect_not(hg_file_exists(temporary));
  expect_text(path, "old");
  hg_new_file_abandon(&file);
  hg_new_file_abandon(&never);
}

Test(files, a_commit_that_fails_removes_the_temporary_file)
{
  hg_new_file file;
  cr_assert_eq(hg_new_file_begin(&file, path_in(folder, "out.txt")), HG_OK);
  expect_error(hg_new_file_commit(&file), HG_ERR_IO, "out.txt: cannot write: No such file or directory");
  cr_assert_eq(hg_new_file_begin(&file, path_in(folder, "taken")), HG_OK);
  write_text(file.temporary, "new");
  char temporary[sizeof file.temporary];
  memcpy(temporary, file.temporary, sizeof temporary);
  cr_assert_eq(mkdir(path_in(folder, "taken"), 0777), 0); // meanwhile a folder has taken the name
  expect_error(hg_new_file_commit(&file), HG_ERR_IO, "taken: cannot write: Is a directory");
  cr_expect_not(hg_file_exists(temporary));
}

Test(files, refuses_places_where_nothing_can_be_written)
{
  char long_path[5000];
  hg_new_file file;
  memset(long_path, 'x', sizeof long_path - 1);
  long_path[sizeof long_path - 1] = '\0';
  write_text(path_in(folder, "file"), "text");
  expect_error(hg_new_file_begin(&file, folder), HG_ERR_INPUT, "found a folder, expected a file name");
  expect_error(hg_new_file_begin(&file, path_in(folder, "no/out.txt")), HG_ERR_INPUT, "No such file or directory");
  expect_error(hg_new_file_begin(&file, path_in(folder, "file/out.txt")), HG_ERR_INPUT, "is a file, expected a folder");
  expect_error(hg_new_file_begin(&file, ""), HG_ERR_INPUT, "found an empty path");
  expect_error(hg_new_file_begin(&file, long_path), HG_ERR_INPUT, "the path is too long");
  hg_new_file_abandon(&file);
}
