#include "runtime/observe/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/files.h"
#include "core/base/log.h"

hg_status hg_run_folder_file(const hg_run_folder *folder, const char *name, char path[HG_PATH_MAX])
{
  if (snprintf(path, HG_PATH_MAX, "%s/%s", folder->path, name) >= HG_PATH_MAX)
    return hg_fail(HG_ERR_INPUT, "%.100s.../%s: the path is too long", folder->path, name);
  return HG_OK;
}

static hg_status write_config(const hg_run_folder *folder, const hg_config *config)
{
  char path[HG_PATH_MAX], *yaml = NULL;
  hg_new_file file = {0};
  FILE *out = NULL;
  hg_status rc = HG_OK;
  HG_TRY(hg_config_print(config, &yaml));
  HG_TRY(hg_run_folder_file(folder, "config.yaml", path));
  HG_TRY(hg_new_file_begin(&file, path));
  out = fopen(file.temporary, "w");
  bool written = out && fputs(yaml, out) >= 0;
  if (out && fclose(out) != 0) written = false;
  if (!written) HG_TRY(hg_fail(HG_ERR_IO, "%s: cannot write: %s", path, strerror(errno)));
  HG_TRY(hg_new_file_commit(&file));
done:
  hg_new_file_abandon(&file);
  hg_free(&yaml);
  return rc;
}

// removes an earlier run's checkpoints, so that a later --resume cannot meet them
static void remove_checkpoints(const char *path)
{
  DIR *folder = opendir(path);
  if (!folder) return;
  for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
    char file[HG_PATH_MAX + 256];
    size_t length = strlen(entry->d_name);
    bool whole = length > 3 && strcmp(entry->d_name + length - 3, ".h5") == 0;
    if (!whole && !strstr(entry->d_name, ".h5.tmp")) continue; // .tmp: of a run that was killed
    snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
    unlink(file);
  }
  closedir(folder);
}

static hg_status open_file(const hg_run_folder *folder, const char *name, const char *mode, FILE **file)
{
  char path[HG_PATH_MAX];
  hg_status rc = hg_run_folder_file(folder, name, path);
  if (rc != HG_OK) return rc;
  *file = fopen(path, mode);
  return *file ? HG_OK : hg_fail(HG_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
}

// Two runs that write one folder would mix their lines. The lock goes with the process, however it ends; where the file
// system has no locks there is none.
static hg_status lock(hg_run_folder *folder)
{
  folder->lock = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder->lock < 0 || flock(folder->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return HG_OK;
  return hg_fail(HG_ERR_INPUT, "%s: found another run that writes this folder, expected one of its own: --output=DIR",
                 folder->path);
}

hg_status hg_run_folder_open(hg_run_folder *folder, const hg_config *config, bool resume)
{
  memset(folder, 0, sizeof *folder);
  folder->lock = -1;
  snprintf(folder->path, sizeof folder->path, "%s", config->output);
  char path[HG_PATH_MAX];
  hg_status rc = HG_OK;
  HG_TRY(hg_run_folder_file(folder, "checkpoints", path));
  if (hg_make_directories(path) != HG_OK) HG_TRY(hg_fail(HG_ERR_INPUT, "output: %s", hg_error_text()));
  HG_TRY(lock(folder));
  if (!resume) {
    remove_checkpoints(path);
    HG_TRY(hg_run_folder_file(folder, "summary.json", path));
    unlink(path);
  }
  HG_TRY(write_config(folder, config));
  HG_TRY(open_file(folder, "log.txt", resume ? "a" : "w", &folder->log));
  HG_TRY(open_file(folder, "metrics.jsonl", resume ? "a" : "w", &folder->metrics));
  hg_log_set_file(folder->log);
done:
  if (rc != HG_OK) hg_run_folder_close(folder);
  return rc;
}

void hg_run_folder_close(hg_run_folder *folder)
{
  hg_log_set_file(NULL);
  if (folder->metrics) fclose(folder->metrics);
  if (folder->log) fclose(folder->log);
  if (folder->lock > 0) close(folder->lock); // 0: of a zeroed struct
  folder->lock = -1;
  folder->metrics = folder->log = NULL;
}

// whether a line of metrics.jsonl is of an epoch up to (repeat, epoch)
static bool line_is_kept(const char *line, int repeat, int epoch)
{
  json_t *object = json_loads(line, 0, NULL);
  const json_t *in_repeat = json_object_get(object, "repeat"), *in_epoch = json_object_get(object, "epoch");
  json_int_t r = json_integer_value(in_repeat), e = json_integer_value(in_epoch);
  bool known = json_is_integer(in_repeat) && json_is_integer(in_epoch);
  bool kept = known && (r < repeat || (r == repeat && e <= epoch));
  json_decref(object);
  return kept;
}

hg_status hg_run_folder_rewind(hg_run_folder *folder, int repeat, int epoch)
{
  char path[HG_PATH_MAX], *line = NULL;
  size_t size = 0;
  hg_new_file file = {0};
  FILE *in = NULL, *out = NULL;
  hg_status rc = HG_OK;
  HG_TRY(hg_run_folder_file(folder, "metrics.jsonl", path));
  HG_TRY(hg_new_file_begin(&file, path));
  in = fopen(path, "r");
  out = fopen(file.temporary, "w");
  if (!in || !out) HG_TRY(hg_fail(HG_ERR_IO, "%s: cannot rewrite: %s", path, strerror(errno)));
  while (getline(&line, &size, in) > 0)
    if (line_is_kept(line, repeat, epoch)) fputs(line, out);
  bool written = fflush(out) == 0 && !ferror(out);
  fclose(out);
  out = NULL;
  if (!written) HG_TRY(hg_fail(HG_ERR_IO, "%s: cannot rewrite: %s", path, strerror(errno)));
  HG_TRY(hg_new_file_commit(&file));
  fclose(folder->metrics);
  folder->metrics = NULL;
  HG_TRY(open_file(folder, "metrics.jsonl", "a", &folder->metrics));
done:
  free(line); // allow(malloc): getline's
  if (in) fclose(in);
  if (out) fclose(out);
  hg_new_file_abandon(&file);
  return rc;
}
