/* Zip archives: what .npz files (and Keras's .keras files) are. Reading is
 * libzip's work; this unit adds bounds and messages. Writing is atomic. Entries are stored
 * or deflated; archives and entries beyond 4 GB (zip64) are fine.
 *
 *     Archive *archive = archive_open(path, &err);
 *     for (int64_t k = 0; k < archive_count(archive); k++) {
 *         Reader reader;
 *         if (!archive_reader(archive, k, &reader, &err)) ...
 *         reader_close(&reader);                  // before archive_close
 *     }
 *     archive_close(archive);
 *
 *     ArchiveWriter *writer = archive_create(path, &err);
 *     if (archive_add(writer, "x.npy", header, 128, data, bytes, true, &err) && ...)
 *         return archive_finish(writer, &err);  // all of it, or nothing
 *     archive_cancel(writer);
 *
 * Entries get one fixed date, so that the same contents give the same file. */
#ifndef CDL_IO_ARCHIVE_H
#define CDL_IO_ARCHIVE_H
#include "io/reader.h"

typedef struct Archive Archive;

Archive *archive_open(const char *path, Err *err); /* NULL: err is set */
void archive_close(Archive *archive);
int64_t archive_count(const Archive *archive);
/* The entry's name, valid until archive_close; NULL: the archive is damaged there. */
const char *archive_name(const Archive *archive, int64_t index);
/* A reader of the entry's bytes; its `most` is exactly their number. */
bool archive_reader(const Archive *archive, int64_t index, Reader *out, Err *err);
/* Where the file has the bytes of an entry that is stored as it is, with a descriptor of the file.
 * False: it is packed, or its place cannot be told; then only a reader gives them. */
bool archive_place(const Archive *archive, int64_t index, int *file, uint64_t *place);

typedef struct ArchiveWriter ArchiveWriter;

ArchiveWriter *archive_create(const char *path, Err *err); /* NULL: err is set */
typedef struct ArchivePart {
    const void *data;
    size_t bytes;
} ArchivePart;

/* An entry made of parts. After a failure the writer is good for cancelling. */
bool archive_add_parts(ArchiveWriter *writer, const char *name, const ArchivePart *parts,
                       int64_t count, bool deflate, Err *err);
/* One made of a header and of data. */
bool archive_add(ArchiveWriter *writer, const char *name, const void *header,
                 size_t header_bytes, const void *data, size_t bytes, bool deflate,
                 Err *err);
/* Both free the writer. */
bool archive_finish(ArchiveWriter *writer, Err *err);
void archive_cancel(ArchiveWriter *writer);

#endif
