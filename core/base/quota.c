#include "core/base/quota.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 4096 };

// quota / period of a file that holds both, "max 100000" or "200000 100000"
static double of_version_2(const char *folder)
{
  char path[PATH_SIZE + 32], quota[32], period[32];
  double limit = (double)INFINITY;
  snprintf(path, sizeof path, "%s/cpu.max", folder);
  FILE *file = fopen(path, "r");
  if (!file) return limit;
  if (fscanf(file, "%31s %31s", quota, period) == 2 && strtod(quota, NULL) > 0 && strtod(period, NULL) > 0)
    limit = strtod(quota, NULL) / strtod(period, NULL);
  fclose(file);
  return limit;
}

static double number_in(const char *folder, const char *name)
{
  char path[PATH_SIZE + 32], text[32];
  double number = -1;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "r");
  if (!file) return number;
  if (fscanf(file, "%31s", text) == 1) number = strtod(text, NULL);
  fclose(file);
  return number;
}

// of two files; a quota of -1 is none
static double of_version_1(const char *folder)
{
  double quota = number_in(folder, "cpu.cfs_quota_us"), period = number_in(folder, "cpu.cfs_period_us");
  return quota > 0 && period > 0 ? quota / period : (double)INFINITY;
}

// The least of a group and those above it. In a container the path may be the host's: what exists of it is looked at.
static double least(const char *root, const char *group, double (*limit_of)(const char *))
{
  char folder[PATH_SIZE];
  double limit = (double)INFINITY;
  size_t top = strlen(root);
  if ((size_t)snprintf(folder, sizeof folder, "%s%s", root, group) >= sizeof folder) return limit;
  for (;;) {
    limit = fmin(limit, limit_of(folder));
    char *slash = strrchr(folder, '/');
    if (!slash || (size_t)(slash - folder) < top) return limit;
    *slash = '\0';
  }
}

// whether `names`, separated by commas, has cpu
static int has_cpu(const char *names)
{
  char list[64];
  snprintf(list, sizeof list, ",%s,", names);
  return strstr(list, ",cpu,") != NULL;
}

double hg_quota_read(const char *groups, const char *mount)
{
  char line[PATH_SIZE], root[PATH_SIZE];
  double limit = (double)INFINITY;
  FILE *file = fopen(groups, "r");
  while (file && fgets(line, sizeof line, file)) { // "4:cpu,cpuacct:/path" of version 1, "0::/path" of version 2
    char *names = strchr(line, ':'), *group = names ? strchr(names + 1, ':') : NULL;
    if (!group) continue;
    *group++ = '\0';
    names++;
    group[strcspn(group, "\n")] = '\0';
    if (!names[0]) limit = fmin(limit, least(mount, group, of_version_2));
    if (!has_cpu(names)) continue;
    if ((size_t)snprintf(root, sizeof root, "%s/%s", mount, names) >= sizeof root) continue;
    limit = fmin(limit, least(root, group, of_version_1));
    snprintf(root, sizeof root, "%.*s/cpu", (int)sizeof root - 8, mount);
    limit = fmin(limit, least(root, group, of_version_1));
  }
  if (file) fclose(file);
  return limit;
}

double hg_quota(void)
{
  static double quota;
  if (quota <= 0) quota = hg_quota_read("/proc/self/cgroup", "/sys/fs/cgroup");
  return quota;
}
