#define _GNU_SOURCE
#include "io/atomic.h"
#include <fcntl.h>
#include <sys/resource.h>
#include <signal.h>
#include <errno.h>
#include "io/scratch.h"
#include "test.h"

static bool holds(const char *path, const char *text) {
    size_t bytes;
    unsigned char *data = scratch_read(path, &bytes);
    bool equal = bytes == strlen(text) && memcmp(data, text, bytes) == 0;
    mem_free(data);
    return equal;
}

static void writes_and_replaces(void) {
    Err err = {0};
    const char *path = scratch("a.txt");
    CHECK(atomic_write(path, "one", 3, &err));
    CHECK(holds(path, "one"));
    CHECK(atomic_write(path, "three", 5, &err));
    CHECK(holds(path, "three"));
    CHECK(scratch_count() == 1);
    CHECK(atomic_write(scratch("empty"), "", 0, &err) && holds(scratch("empty"), ""));
}

static void cancel_keeps_the_old_file(void) {
    Err err = {0};
    Atomic file;
    const char *path = scratch_text("kept.txt", "old");
    int before = scratch_count();
    CHECK(atomic_open(&file, path, &err));
    CHECK(atomic_append(&file, "new", 3, &err));
    CHECK(scratch_count() == before + 1);
    atomic_cancel(&file);
    atomic_cancel(&file);
    CHECK(scratch_count() == before && holds(path, "old"));
}

static void full_disk_keeps_the_old_file(void) {
    /* A limit on the size of files stands for a disk that is full. */
    struct rlimit old, small = {.rlim_cur = 1000};
    char block[4000] = {0};
    Err err = {0};
    const char *path = scratch_text("full.txt", "old");
    int before = scratch_count();
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    CHECK(!atomic_write(path, block, sizeof block, &err));
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK_TEXT(err.text, "full.txt': File too large");
    CHECK(scratch_count() == before && holds(path, "old"));
}

static void permissions_and_links(void) {
    Err err = {0};
    struct stat info;
    const char *path = scratch_text("mode.txt", "x"), *link = scratch("link");
    chmod(path, 0640);
    CHECK(symlink("mode.txt", link) == 0);
    CHECK(atomic_write(link, "through", 7, &err));
    CHECK(lstat(link, &info) == 0 && S_ISLNK(info.st_mode));
    CHECK(holds(path, "through"));
    CHECK(stat(path, &info) == 0 && (info.st_mode & 0777) == 0640);
    mode_t mask = umask(027);
    CHECK(atomic_write(scratch("fresh.txt"), "x", 1, &err));
    umask(mask);
    CHECK(stat(scratch("fresh.txt"), &info) == 0 && (info.st_mode & 0777) == 0640);
}

static void refuses(void) {
    Err folder = {0}, nowhere = {0}, device = {0}, nameless = {0};
    int before = scratch_count();
    CHECK(mkdir(scratch("folder"), 0777) == 0);
    CHECK(!atomic_write(scratch("folder"), "x", 1, &folder));
    CHECK_TEXT(folder.text, "folder': it is a folder");
    CHECK(!atomic_write(scratch("nowhere/x.txt"), "x", 1, &nowhere));
    CHECK_TEXT(nowhere.text, "there is no folder '");
    CHECK_TEXT(nowhere.text, "/nowhere/'");
    CHECK(!atomic_write("/dev/null", "x", 1, &device));
    CHECK_TEXT(device.text, "'/dev/null': it is not a regular file");
    CHECK(!atomic_write(scratch("folder/"), "x", 1, &nameless));
    CHECK_TEXT(nameless.text, "no file name");
    CHECK(scratch_count() == before + 1);
}

static void makes_folders(void) {
    Err err = {0}, blocked = {0};
    struct stat info;
    CHECK(folder_make(scratch("p/q//r"), &err));
    CHECK(stat(scratch("p/q/r"), &info) == 0 && S_ISDIR(info.st_mode));
    CHECK(folder_make(scratch("p/q"), &err) && !err.set);
    scratch_text("plain", "x");
    CHECK(!folder_make(scratch("plain/below"), &blocked));
    CHECK_TEXT(blocked.text, "plain/below': Not a directory");
}

static void memory_failures_leave_nothing(void) {
    const char *path = scratch_text("memory.txt", "old");
    int before = scratch_count();
    size_t bytes = mem_bytes();
    int failed = 0;
    for (int n = 1; n < 20; n++) {
        Err err = {0};
        mem_fail_at(n);
        bool ok = atomic_write(path, "new", 3, &err);
        mem_fail_at(0);
        CHECK(scratch_count() == before && mem_bytes() == bytes);
        CHECK(ok != err.set);
        if (ok) break;
        CHECK(holds(path, "old"));
        failed++;
    }
    CHECK(failed >= 2);
}

TEST_MAIN(writes_and_replaces, cancel_keeps_the_old_file, full_disk_keeps_the_old_file,
          permissions_and_links, refuses, makes_folders, memory_failures_leave_nothing)
