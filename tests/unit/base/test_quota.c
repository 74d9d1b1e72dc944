// CPU quotas from folders that look like /sys/fs/cgroup.
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/files.h"
#include "core/base/quota.h"
#include "core/base/threads.h"

enum { ROOT_SIZE = 512 };
static char root[ROOT_SIZE];

static void put(const char *name, const char *text)
{
  char path[2 * ROOT_SIZE];
  snprintf(path, sizeof path, "%s/%s", root, name);
  char *slash = strrchr(path, '/');
  *slash = '\0';
  cr_assert_eq(hg_make_directories(path), HG_OK, "%s", hg_error_text());
  *slash = '/';
  FILE *file = fopen(path, "w");
  cr_assert_not_null(file, "%s", path);
  fputs(text, file);
  fclose(file);
}

static void begin(void)
{
  snprintf(root, sizeof root, "/tmp/halognn_quota_XXXXXX");
  cr_assert_not_null(mkdtemp(root));
}

static void end(void)
{
  char command[ROOT_SIZE + 16];
  snprintf(command, sizeof command, "rm -r %s", root);
  cr_expect_eq(system(command), 0);
}

static double quota(const char *groups)
{
  char path[ROOT_SIZE + 16];
  put("groups", groups);
  snprintf(path, sizeof path, "%s/groups", root);
  return hg_quota_read(path, root);
}

TestSuite(quota, .init = begin, .fini = end);

Test(quota, without_files_there_is_no_limit)
{
  cr_expect(isinf(quota("0::/a/b\n")));
  cr_expect(isinf(hg_quota_read("/no/such/file", root)));
  cr_expect(isinf(quota("nonsense\n::\n\n")));
  cr_expect_geq(hg_quota(), 0);
}

Test(quota, of_version_2_is_the_least_of_a_group_and_those_above)
{
  put("a/b/cpu.max", "max 100000\n");
  put("a/cpu.max", "200000 100000\n");
  cr_expect_eq(quota("0::/a/b\n"), 2);
  put("a/b/cpu.max", "150000 100000\n");
  cr_expect_eq(quota("0::/a/b\n"), 1.5);
  cr_expect(isinf(quota("0::/c\n")));
}

Test(quota, of_a_container_lies_at_the_root)
{
  put("cpu.max", "400000 100000\n");
  cr_expect_eq(quota("0::/\n"), 4);
  cr_expect_eq(quota("0::/docker/0123\n"), 4, "the host's path, which the container does not see");
}

Test(quota, of_version_1)
{
  const char groups[] = "5:memory:/x\n4:cpu,cpuacct:/slurm/job\n3:cpuset:/\n";
  put("cpu,cpuacct/slurm/job/cpu.cfs_quota_us", "300000\n");
  put("cpu,cpuacct/slurm/job/cpu.cfs_period_us", "100000\n");
  put("cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  put("cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  cr_expect_eq(quota(groups), 3);
  put("cpu/cpu.cfs_quota_us", "100000\n");
  put("cpu/cpu.cfs_period_us", "50000\n");
  cr_expect_eq(quota("4:cpu:/\n"), 2);
}

Test(quota, damaged_files_are_no_limit)
{
  put("cpu.max", "\n");
  cr_expect(isinf(quota("0::/\n")));
  put("cpu.max", "100000 0\n");
  cr_expect(isinf(quota("0::/\n")));
  put("cpu.max", "-5 100000\n");
  cr_expect(isinf(quota("0::/\n")));
}
