#include "core/base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool hg_file_exists(const char *path) { return access(path, F_OK) == 0; }

hg_status hg_make_directories(const char *path)
{
  char part[4096];
  if (path[0] == '\0') return hg_fail(HG_ERR_INPUT, "found an empty path, expected a folder");
  if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
    return hg_fail(HG_ERR_INPUT, "%.100s...: the path is too long", path);
  for (char *p = part + 1;; p++) {
    char was = *p;
    if (was != '/' && was != '\0') continue;
    *p = '\0';
    if (mkdir(part, 0777) != 0 && errno != EEXIST)
      return hg_fail(HG_ERR_IO, "%s: cannot make the folder: %s", part, strerror(errno));
    *p = was;
    if (was == '\0') break;
  }
  struct stat info;
  if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
    return hg_fail(HG_ERR_IO, "%s: found a file, expected a folder", path);
  return HG_OK;
}

hg_status hg_files_apart(const char *input, const char *output)
{
  struct stat in, out;
  if (stat(input, &in) != 0 || stat(output, &out) != 0) return HG_OK; // nothing to lose
  if (in.st_dev != out.st_dev || in.st_ino != out.st_ino) return HG_OK;
  return hg_fail(HG_ERR_INPUT, "%s: found the input %s under this name, expected another file to write", output, input);
}

hg_status hg_new_file_begin(hg_new_file *file, const char *path)
{
  memset(file, 0, sizeof *file);
  if (path[0] == '\0') return hg_fail(HG_ERR_INPUT, "found an empty path, expected a file name");
  if (snprintf(file->path, sizeof file->path, "%s", path) >= (int)sizeof file->path)
    return hg_fail(HG_ERR_INPUT, "%.100s...: the path is too long", path);
  struct stat info;
  if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
    return hg_fail(HG_ERR_INPUT, "%s: cannot write: found a folder, expected a file name", path);
  if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) // a rename would put a file in a device's place
    return hg_fail(HG_ERR_INPUT, "%s: cannot write: found a device or pipe, expected a file name", path);
  char copy[sizeof file->path];
  memcpy(copy, file->path, sizeof copy);
  const char *folder = dirname(copy);
  if (stat(folder, &info) == 0 && !S_ISDIR(info.st_mode))
    return hg_fail(HG_ERR_INPUT, "%s: cannot write: %s is a file, expected a folder", path, folder);
  if (access(folder, W_OK | X_OK) != 0)
    return hg_fail(HG_ERR_INPUT, "%s: cannot write in the folder %s: %s", path, folder, strerror(errno));
  snprintf(file->temporary, sizeof file->temporary, "%s.tmp%ld", file->path, (long)getpid());
  return HG_OK;
}

hg_status hg_new_file_sync(const hg_new_file *file)
{
  int fd = open(file->temporary, O_RDONLY | O_CLOEXEC);
  bool synced = fd >= 0 && fsync(fd) == 0;
  int why = errno;
  if (fd >= 0) close(fd);
  return synced ? HG_OK : hg_fail(HG_ERR_IO, "%s: cannot write: %s", file->path, strerror(why));
}

hg_status hg_new_file_commit(hg_new_file *file)
{
  hg_status rc = hg_new_file_sync(file);
  if (rc == HG_OK && rename(file->temporary, file->path) != 0)
    rc = hg_fail(HG_ERR_IO, "%s: cannot write: %s", file->path, strerror(errno));
  if (rc == HG_OK)
    file->temporary[0] = '\0';
  else
    hg_new_file_abandon(file);
  return rc;
}

void hg_new_file_abandon(hg_new_file *file)
{
  if (file->temporary[0]) unlink(file->temporary);
  file->temporary[0] = '\0';
}
