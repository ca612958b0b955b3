/* TensorBoard's event files: the records of a run, one behind the other.
 *
 *     EventFile file;
 *     if (!event_open(&file, "logs/train", &err)) return false;
 *     event_write(&file, step, EVENT_SUMMARY, body, bytes, &err);   // a protobuf message
 *     event_close(&file);
 *
 * Each record goes out by one system call, so nothing waits in this process: what has been
 * written is in the file whatever becomes of the program, and a reader never sees a record
 * change. A record that the disk has no room for is taken back whole, and the next one is tried
 * again. Files are never opened twice: each writer starts a new one, whose name sorts behind
 * those that are there.
 *
 * A folder has one writer at a time; a lock on the folder itself, which ends with the process,
 * refuses a second. After fork the file is the parent's: the child writes nothing. */
#ifndef CDL_IO_EVENT_FILE_H
#define CDL_IO_EVENT_FILE_H
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

/* Fields of an Event that hold a message or bytes. */
enum { EVENT_GRAPH = 4, EVENT_SUMMARY = 5 };

typedef struct EventFile {
    char *path;
    int fd;
    int folder;    /* open as long as the lock is held */
    int64_t bytes; /* written so far, whole records */
    long process;  /* that may write */
} EventFile;

/* Makes the folder, takes its lock and starts a file. *taken (may be NULL): it failed because
 * the folder has a writer already. */
bool event_open(EventFile *out, const char *folder, bool *taken, Err *err);

/* One record with the present time: the step, and a field with its contents. */
bool event_write(EventFile *file, int64_t step, int field, const void *body, size_t bytes,
                 Err *err);

bool event_sync(EventFile *file, Err *err); /* waits until the disk has it all */
void event_close(EventFile *file);          /* also of one that is closed already */

/* Reads the records of a file. *out: their payloads, each behind its size (size_t), one behind
 * the other, *bytes in all, in a block for mem_free. A tail that is not all there yet is passed
 * over; a record whose checksum is wrong ends the reading with *damaged = its place in the file
 * (else -1). Fails only when the file cannot be read or memory runs out. */
bool event_read(const char *path, char **out, size_t *bytes, int64_t *damaged, Err *err);

#endif
