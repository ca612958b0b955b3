#define _GNU_SOURCE
#include "io/atomic.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"

static bool fail(Err *err, const char *path, int reason) {
    return err_set(err, "cannot write '%.600s': %s", path, strerror(reason));
}

/* The part of a path up to and with the last slash; 0 when there is none. */
static size_t folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

static int folder_open(const char *path) {
    size_t length = folder_length(path);
    char *folder = length ? mem_strdup(path) : mem_strdup(".");
    if (!folder) return errno = ENOMEM, -1;
    if (length) folder[length] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mem_free(folder);
    return fd;
}

/* Creates a file under a name that nobody has: ".cdl-<process>-<n>.tmp" in the target's
 * folder, with the permissions that a new file gets there. */
static int temporary_open(const char *target, char **name) {
    size_t length = folder_length(target), room = length + 48;
    char *path = mem_alloc(room);
    if (!path) return errno = ENOMEM, -1;
    memcpy(path, target, length);
    int fd = -1;
    for (int n = 1; n < 10000; n++) {
        snprintf(path + length, room - length, ".cdl-%ld-%d.tmp", (long)getpid(), n);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST) break;
    }
    if (fd < 0) {
        int reason = errno;
        mem_free(path);
        errno = reason;
    } else {
        *name = path;
    }
    return fd;
}

/* A symbolic link stays one: the file that it names is replaced. */
static char *resolve(const char *path) {
    struct stat info;
    if (lstat(path, &info) != 0 || !S_ISLNK(info.st_mode)) return mem_strdup(path);
    char *real = realpath(path, NULL);
    char *copy = mem_strdup(real ? real : path);
    free(real);
    return copy;
}

bool atomic_open(Atomic *out, const char *path, Err *err) {
    size_t length = folder_length(path);
    struct stat info;
    if (path[length] == '\0')
        return err_set(err, "cannot write '%.600s': no file name", path);
    Atomic file = {.path = resolve(path)};
    if (!file.path) return fail(err, path, ENOMEM);
    bool exists = stat(file.path, &info) == 0;
    if (exists && !S_ISREG(info.st_mode)) {
        mem_free(file.path);
        return err_set(err, "cannot write '%.600s': it is %s", path,
                       S_ISDIR(info.st_mode) ? "a folder" : "not a regular file");
    }
    file.fd = temporary_open(file.path, &file.temporary);
    if (file.fd < 0) {
        int reason = errno;
        mem_free(file.path);
        if (reason == ENOENT || reason == ENOTDIR)
            return err_set(err, "cannot write '%.600s': there is no folder '%.*s'", path,
                           length > 300 ? 300 : (int)length, path);
        return fail(err, path, reason);
    }
    /* Not being allowed to keep the mode (another owner's file) is no reason to stop. */
    if (exists) fchmod(file.fd, info.st_mode & 07777);
    *out = file;
    return true;
}

bool atomic_append(Atomic *file, const void *data, size_t bytes, Err *err) {
    const char *at = data;
    while (bytes) {
        ssize_t count = write(file->fd, at, bytes);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail(err, file->path, errno);
        at += count, bytes -= (size_t)count;
    }
    return true;
}

static void release(Atomic *file) {
    mem_free(file->path);
    mem_free(file->temporary);
    *file = (Atomic){.fd = -1};
}

void atomic_cancel(Atomic *file) {
    if (!file->path) return;
    if (file->fd >= 0) close(file->fd);
    unlink(file->temporary);
    release(file);
}

static int sync_file(int fd) {
    int code;
    do code = fsync(fd);
    while (code != 0 && errno == EINTR);
    return code;
}

/* The new name itself lasts only when its folder is on the disk. Some file systems cannot
 * sync a folder, and some folders cannot be opened; then there is nothing more to do. */
static bool sync_folder(const char *path, Err *err) {
    int fd = folder_open(path);
    if (fd < 0) return true;
    bool bad = sync_file(fd) != 0 && errno == EIO;
    close(fd);
    return !bad ||
           err_set(err, "'%.600s' is written, but its folder could not be synced: %s",
                   path, strerror(EIO));
}

bool atomic_commit(Atomic *file, Err *err) {
    bool written = sync_file(file->fd) == 0;
    int reason = errno;
    if (close(file->fd) != 0 && written) written = false, reason = errno;
    file->fd = -1;
    if (written && rename(file->temporary, file->path) != 0)
        written = false, reason = errno;
    if (!written) {
        fail(err, file->path, reason);
        atomic_cancel(file);
        return false;
    }
    bool ok = sync_folder(file->path, err);
    release(file);
    return ok;
}

bool atomic_write(const char *path, const void *data, size_t bytes, Err *err) {
    Atomic file;
    if (!atomic_open(&file, path, err)) return false;
    if (atomic_append(&file, data, bytes, err)) return atomic_commit(&file, err);
    atomic_cancel(&file);
    return false;
}

bool folder_make(const char *path, Err *err) {
    struct stat info;
    char *prefix = mem_strdup(path);
    if (!prefix) return fail(err, path, ENOMEM);
    int reason = 0;
    for (char *at = prefix; *at && !reason;) {
        at += strspn(at, "/");
        at += strcspn(at, "/");
        char kept = *at;
        *at = '\0';
        if (mkdir(prefix, 0777) != 0) {
            int code = errno;
            if (stat(prefix, &info) != 0)
                reason = code;
            else if (!S_ISDIR(info.st_mode))
                reason = ENOTDIR;
        }
        *at = kept;
    }
    mem_free(prefix);
    if (!reason) return true;
    return err_set(err, "cannot make the folder '%.600s': %s", path, strerror(reason));
}
