/* How many CPUs this process may use: its affinity mask, limited by the CPU quota of its
 * control groups (a container with half a machine gets half the threads). */
#ifndef CDL_BASE_CPUS_H
#define CDL_BASE_CPUS_H

int cpus_available(void); /* at least 1 */

/* The smallest quota, in CPUs, of the groups named in a membership file (the form of
 * /proc/self/cgroup) and their parents, read below `mount` (/sys/fs/cgroup); version 2
 * and version 1 hierarchies. 0: no limit. */
double cpus_quota(const char *membership, const char *mount);

#endif
