/* CPU quotas, read from imitations of the kernel's files. */
#include "base/cpus.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "test.h"

static char root[] = "/tmp/cdl-cpus-XXXXXX";

static const char *path(const char *name) {
    static char text[512];
    snprintf(text, sizeof text, "%s/%s", root, name);
    return text;
}

static void write_file(const char *name, const char *contents) {
    FILE *file = fopen(path(name), "w");
    CHECK(file);
    if (!file) return;
    fputs(contents, file);
    fclose(file);
}

/* The quota of a process whose membership file has these lines. */
static double quota_of(const char *membership) {
    char file[512];
    write_file("membership", membership);
    snprintf(file, sizeof file, "%s", path("membership"));
    return cpus_quota(file, root);
}

static void version_2_takes_the_smallest_of_all_parents(void) {
    mkdir(path("a"), 0700);
    mkdir(path("a/b"), 0700);
    write_file("a/cpu.max", "150000 100000\n");
    write_file("a/b/cpu.max", "max 100000\n");
    CHECK_NEAR(quota_of("0::/a/b\n"), 1.5, 1e-12);
    write_file("a/b/cpu.max", "50000 100000\n");
    CHECK_NEAR(quota_of("0::/a/b\n"), 0.5, 1e-12);
    CHECK_NEAR(quota_of("0::/a\n"), 1.5, 1e-12);
    CHECK(quota_of("0::/\n") == 0);
    /* A container may name its host's group, while the mount shows its own. */
    write_file("cpu.max", "300000 100000\n");
    CHECK_NEAR(quota_of("0::/system/docker/0123\n"), 3, 1e-12);
    unlink(path("cpu.max"));
}

static void version_1_is_understood(void) {
    mkdir(path("cpu"), 0700);
    mkdir(path("cpu/g"), 0700);
    write_file("cpu/g/cpu.cfs_quota_us", "250000\n");
    write_file("cpu/g/cpu.cfs_period_us", "100000\n");
    CHECK_NEAR(quota_of("4:memory:/x\n3:cpu,cpuacct:/g\n"), 2.5, 1e-12);
    CHECK(quota_of("3:cpuset:/g\n2:cpuacct:/g\n") == 0);
    write_file("cpu/g/cpu.cfs_quota_us", "-1\n");
    CHECK(quota_of("3:cpu:/g\n") == 0);
}

static void nonsense_is_no_limit(void) {
    CHECK(quota_of("") == 0);
    CHECK(quota_of("no colons\n:\n::\n\n") == 0);
    write_file("a/cpu.max", "rubbish");
    CHECK(quota_of("0::/a\n") == 0);
    write_file("a/cpu.max", "");
    CHECK(quota_of("0::/a\n") == 0);
    CHECK(cpus_quota(path("absent"), root) == 0);
    CHECK(cpus_available() >= 1);
}

static void make_root(void) { CHECK(mkdtemp(root)); }

static void remove_root(void) {
    const char *files[] = {"membership", "a/cpu.max", "a/b/cpu.max",
                           "cpu/g/cpu.cfs_quota_us", "cpu/g/cpu.cfs_period_us"};
    const char *folders[] = {"a/b", "a", "cpu/g", "cpu"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        CHECK(unlink(path(files[i])) == 0);
    for (size_t i = 0; i < 4; i++) CHECK(rmdir(path(folders[i])) == 0);
    CHECK(rmdir(root) == 0);
}

TEST_MAIN(make_root, version_2_takes_the_smallest_of_all_parents, version_1_is_understood,
          nonsense_is_no_limit, remove_root)
