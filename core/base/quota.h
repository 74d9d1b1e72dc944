#pragma once

/**
 * Processors' worth of time that the control groups of this process allow it (CPU quota, version 1 or 2, its own group
 * and those above); infinity without a limit. A container of 2 CPUs on a host of 64 has 64 in its mask and 2 here.
 * @param groups   "/proc/self/cgroup"; another file in tests
 * @param mount    "/sys/fs/cgroup"
 */
double hg_quota_read(const char *groups, const char *mount);

/** hg_quota_read of this process; read once. */
double hg_quota(void);
