// Which checkpoints a run's folder holds: names, the newest, and the ones to forget.
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/train/checkpoint.h"

enum { MOST_FILES = 4096 };

void hg_checkpoint_path(const char *folder, int repeat, int epoch, char path[HG_PATH_MAX])
{
  snprintf(path, HG_PATH_MAX, "%.*s/checkpoints/repeat_%d_epoch_%d.h5", HG_PATH_MAX - 64, folder, repeat, epoch);
}

void hg_checkpoint_best_path(const char *folder, int repeat, char path[HG_PATH_MAX])
{
  snprintf(path, HG_PATH_MAX, "%.*s/checkpoints/best_%d.h5", HG_PATH_MAX - 64, folder, repeat);
}

// the (repeat, epoch) of each checkpoint file in the folder
static int list(const char *folder, int found[][2])
{
  char path[HG_PATH_MAX];
  snprintf(path, sizeof path, "%.*s/checkpoints", HG_PATH_MAX - 64, folder);
  DIR *files = opendir(path);
  int n = 0;
  for (struct dirent *entry = files ? readdir(files) : NULL; entry && n < MOST_FILES; entry = readdir(files)) {
    int repeat, epoch, end = 0;
    // NOLINTNEXTLINE(cert-err34-c): a number too large is another name
    if (sscanf(entry->d_name, "repeat_%d_epoch_%d.h5%n", &repeat, &epoch, &end) != 2 || !end || entry->d_name[end])
      continue;
    found[n][0] = repeat;
    found[n++][1] = epoch;
  }
  if (files) closedir(files);
  return n;
}

hg_status hg_checkpoint_find_last(const char *folder, char path[HG_PATH_MAX])
{
  int found[MOST_FILES][2], n = list(folder, found), last = -1;
  for (int k = 0; k < n; k++) {
    bool newer =
        last < 0 || found[k][0] > found[last][0] || (found[k][0] == found[last][0] && found[k][1] > found[last][1]);
    if (newer) last = k;
  }
  if (last < 0) return hg_fail(HG_ERR_INPUT, "%s/checkpoints: found no checkpoint to go on from", folder);
  hg_checkpoint_path(folder, found[last][0], found[last][1], path);
  return HG_OK;
}

void hg_checkpoint_prune(const char *folder, int repeat, int keep)
{
  int found[MOST_FILES][2], n = list(folder, found);
  for (int k = 0; k < n; k++) {
    int newer = 0;
    for (int j = 0; j < n; j++) newer += found[j][0] == found[k][0] && found[j][1] > found[k][1];
    if (found[k][0] > repeat || (found[k][0] == repeat && newer < keep)) continue; // of earlier repeats none is needed
    char path[HG_PATH_MAX];
    hg_checkpoint_path(folder, found[k][0], found[k][1], path);
    unlink(path);
  }
}
