#define _GNU_SOURCE
#include "base/cpus.h"
#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static bool read_line(const char *folder, const char *name, char *line, int bytes) {
    char path[PATH_BYTES];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return false;
    FILE *file = fopen(path, "re");
    if (!file) return false;
    bool ok = fgets(line, bytes, file) != NULL;
    fclose(file);
    return ok;
}

/* The quota of one group's folder in CPUs; 0: none. */
static double folder_quota(const char *folder) {
    char line[128];
    double quota, period;
    if (read_line(folder, "cpu.max", line, sizeof line)) { /* version 2: "max 100000" */
        if (sscanf(line, "%lf %lf", &quota, &period) != 2) return 0;
    } else { /* version 1: -1 for none */
        if (!read_line(folder, "cpu.cfs_quota_us", line, sizeof line)) return 0;
        if (sscanf(line, "%lf", &quota) != 1) return 0;
        if (!read_line(folder, "cpu.cfs_period_us", line, sizeof line)) return 0;
        if (sscanf(line, "%lf", &period) != 1) return 0;
    }
    return quota > 0 && period > 0 ? quota / period : 0;
}

static double smaller_limit(double a, double b) {
    if (a == 0 || b == 0) return a + b;
    return a < b ? a : b;
}

/* The group's folder and all above it, up to the hierarchy's root. A container may see
 * its host's path here while only the upper folders exist. */
static double path_quota(const char *root, const char *group) {
    char folder[PATH_BYTES];
    if (snprintf(folder, sizeof folder, "%s%s", root, group) >= (int)sizeof folder)
        return 0;
    double limit = 0;
    for (;;) {
        limit = smaller_limit(limit, folder_quota(folder));
        char *slash = strrchr(folder + strlen(root), '/');
        if (!slash) return limit;
        *slash = '\0';
    }
}

static bool names_cpu(const char *controllers) {
    for (const char *at = controllers; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, "cpu", 3) == 0 && (at[3] == ',' || at[3] == '\0')) return true;
    }
    return false;
}

double cpus_quota(const char *membership, const char *mount) {
    FILE *file = fopen(membership, "re");
    if (!file) return 0;
    double limit = 0;
    char line[PATH_BYTES];
    while (fgets(line, sizeof line, file)) { /* "number:controllers:/group" */
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(++controllers, ':') : NULL;
        if (!group) continue;
        *group++ = '\0';
        char root[PATH_BYTES];
        if (*controllers == '\0') {
            limit = smaller_limit(limit, path_quota(mount, group));
        } else if (names_cpu(controllers)) {
            int length = snprintf(root, sizeof root, "%s/%s", mount, controllers);
            if (length >= (int)sizeof root) continue;
            if (access(root, F_OK) != 0) snprintf(root, sizeof root, "%s/cpu", mount);
            limit = smaller_limit(limit, path_quota(root, group));
        }
    }
    fclose(file);
    return limit;
}

int cpus_available(void) {
    cpu_set_t allowed;
    int cpus = sched_getaffinity(0, sizeof allowed, &allowed) == 0
                   ? CPU_COUNT(&allowed)
                   : (int)sysconf(_SC_NPROCESSORS_ONLN);
    double quota = cpus_quota("/proc/self/cgroup", "/sys/fs/cgroup");
    if (quota > 0 && ceil(quota) < cpus) cpus = (int)ceil(quota);
    return cpus < 1 ? 1 : cpus;
}
