#define _GNU_SOURCE
#include "io/event_file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/atomic.h"
#include "io/crc32c.h"
#include "io/protobuf.h"
#include "io/reader.h"

/* Fields of an Event. */
enum { EVENT_TIME = 1, EVENT_STEP = 2, EVENT_VERSION = 3 };

/* A record: size, its checksum, the payload, its checksum. */
enum { RECORD_HEAD = 12, RECORD_TAIL = 4 };

/* The format stores checksums so that one of data that hold checksums is as good. */
static uint32_t masked(uint32_t sum) {
    return ((sum >> 15) | (sum << 17)) + UINT32_C(0xa282ead8);
}

/* ---- the name ---- */

static const char name_start[] = "events.out.tfevents.";

/* A file's name begins with the second in which it was started, and readers take the files of a
 * run in the order of their names. The second is moved on behind the newest file's. */
static long long next_second(int folder) {
    long long second = (long long)time(NULL);
    int fd = dup(folder);
    DIR *names = fd >= 0 ? fdopendir(fd) : NULL;
    if (!names) {
        if (fd >= 0) close(fd);
        return second;
    }
    rewinddir(names);
    for (struct dirent *entry; (entry = readdir(names)) != NULL;) {
        if (strncmp(entry->d_name, name_start, sizeof name_start - 1) != 0) continue;
        char *end;
        long long other = strtoll(entry->d_name + sizeof name_start - 1, &end, 10);
        if (*end == '.' && other >= second && other < 9999999999) second = other + 1;
    }
    closedir(names);
    return second;
}

static bool start_file(EventFile *file, const char *folder, Err *err) {
    char host[65] = "localhost";
    if (gethostname(host, sizeof host - 1) != 0) strcpy(host, "localhost");
    host[sizeof host - 1] = '\0';
    for (char *at = host; *at; at++)
        if (*at == '/') *at = '-';
    size_t room = strlen(folder) + sizeof host + 80;
    file->path = mem_alloc(room);
    if (!file->path) return err_set(err, "out of memory for the name of an event file");
    snprintf(file->path, room, "%s/%s%010lld.%s.%ld.v2", folder, name_start,
             next_second(file->folder), host, (long)getpid());
    file->fd = open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    return file->fd >= 0 ||
           err_set(err, "cannot write '%.600s': %s", file->path, strerror(errno));
}

/* ---- records ---- */

static bool check_process(const EventFile *file, Err *err) {
    if (file->fd < 0) return err_set(err, "the writer is closed");
    return file->process == (long)getpid() ||
           err_set(err,
                   "'%.600s' belongs to the process that started it; a forked one "
                   "writes nothing",
                   file->path);
}

/* Short records are put together first: one piece costs the system less than four. */
enum { SHORT_RECORD = 512 };

/* Writes a payload in two pieces as one record, by one system call. */
static bool append(EventFile *file, const void *start, size_t start_bytes,
                   const void *body, size_t bytes, Err *err) {
    char text[SHORT_RECORD], tail[RECORD_TAIL];
    uint64_t size = start_bytes + bytes;
    memcpy(text, &size, sizeof size);
    uint32_t sum = masked(crc32c(0, text, sizeof size));
    memcpy(text + sizeof size, &sum, sizeof sum);
    memcpy(text + RECORD_HEAD, start, start_bytes);
    sum = masked(crc32c(crc32c(0, start, start_bytes), body, bytes));
    memcpy(tail, &sum, sizeof sum);
    size_t front = RECORD_HEAD + start_bytes;
    ssize_t whole = (ssize_t)(front + bytes + sizeof tail), got;
    if (whole <= (ssize_t)sizeof text) {
        memcpy(text + front, body, bytes);
        memcpy(text + front + bytes, tail, sizeof tail);
        do got = write(file->fd, text, (size_t)whole);
        while (got < 0 && errno == EINTR);
    } else {
        struct iovec piece[] = {
            {text, front}, {(void *)body, bytes}, {tail, sizeof tail}};
        do got = writev(file->fd, piece, 3);
        while (got < 0 && errno == EINTR);
    }
    if (got == whole) return file->bytes += whole, true;
    int reason = got < 0 ? errno : ENOSPC;
    /* Half a record would hide those behind it from readers. */
    if (got > 0 && ftruncate(file->fd, file->bytes) != 0) {
        close(file->fd);
        file->fd = -1;
    }
    return err_set(err, "cannot write '%.600s': %s", file->path, strerror(reason));
}

static double wall_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool write_version(EventFile *file, Err *err) {
    static const char version[] = "brain.Event:2";
    char start[64], *at = proto_double(start, EVENT_TIME, wall_time());
    at = proto_bytes(at, EVENT_VERSION, sizeof version - 1);
    return append(file, start, (size_t)(at - start), version, sizeof version - 1, err);
}

bool event_write(EventFile *file, int64_t step, int field, const void *body, size_t bytes,
                 Err *err) {
    if (!check_process(file, err)) return false;
    char start[64], *at = proto_double(start, EVENT_TIME, wall_time());
    at = proto_varint(proto_key(at, EVENT_STEP, PROTO_VARINT), (uint64_t)step);
    at = proto_bytes(at, field, bytes);
    return append(file, start, (size_t)(at - start), body, bytes, err);
}

/* ---- opening and closing ---- */

/* The lock is on the folder, so that no file has to be left in it. Some file systems have no
 * locks; there the writer goes without. */
static bool lock_folder(EventFile *file, const char *folder, bool *taken, Err *err) {
    file->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file->folder < 0)
        return err_set(err, "cannot write in the folder '%.600s': %s", folder,
                       strerror(errno));
    if (flock(file->folder, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return true;
    if (taken) *taken = true;
    return err_set(err,
                   "the folder '%.600s' has a writer already, in this process or in "
                   "another; a run has one writer at a time",
                   folder);
}

bool event_open(EventFile *out, const char *folder, bool *taken, Err *err) {
    EventFile file = {.fd = -1, .folder = -1, .process = (long)getpid()};
    if (folder_make(folder, err) && lock_folder(&file, folder, taken, err) &&
        start_file(&file, folder, err) && write_version(&file, err)) {
        *out = file;
        return true;
    }
    event_close(&file);
    return false;
}

bool event_sync(EventFile *file, Err *err) {
    if (!check_process(file, err)) return false;
    return fdatasync(file->fd) == 0 ||
           err_set(err, "cannot write '%.600s': %s", file->path, strerror(errno));
}

void event_close(EventFile *file) {
    /* A forked child holds the same lock; it lets go of its handles only. */
    if (file->folder >= 0 && file->process == (long)getpid())
        flock(file->folder, LOCK_UN);
    if (file->fd >= 0) close(file->fd);
    if (file->folder >= 0) close(file->folder);
    mem_free(file->path);
    *file = (EventFile){.fd = -1, .folder = -1};
}

/* ---- reading ---- */

static bool sum_is(const char *stored, const void *data, size_t bytes) {
    uint32_t sum;
    memcpy(&sum, stored, sizeof sum);
    return sum == masked(crc32c(0, data, bytes));
}

/* Moves the payloads of `text` together at its front, each behind its size. They only move
 * down: a size_t is shorter than a record's head. */
static size_t gather(char *text, size_t bytes, int64_t *damaged) {
    size_t at = 0, end = 0;
    *damaged = -1;
    while (bytes - at >= RECORD_HEAD + RECORD_TAIL) {
        uint64_t size;
        const char *head = text + at;
        memcpy(&size, head, sizeof size);
        if (!sum_is(head + sizeof size, head, sizeof size))
            return *damaged = (int64_t)at, end;
        if (size > bytes - at - RECORD_HEAD - RECORD_TAIL) break;
        const char *body = head + RECORD_HEAD;
        if (!sum_is(body + size, body, size)) return *damaged = (int64_t)at, end;
        at += RECORD_HEAD + size + RECORD_TAIL;
        size_t length = size;
        memcpy(text + end, &length, sizeof length);
        memmove(text + end + sizeof length, body, length);
        end += sizeof length + length;
    }
    return end;
}

bool event_read(const char *path, char **out, size_t *bytes, int64_t *damaged, Err *err) {
    Reader reader;
    char *text;
    size_t size;
    if (!reader_open(&reader, path, err)) return false;
    bool ok = reader_rest(&reader, &text, &size, err);
    reader_close(&reader);
    if (!ok) return false;
    *bytes = gather(text, size, damaged);
    *out = text;
    return true;
}
