/* Writing archives: libzip does the format and hands over bytes, which go to the
 * temporary file of an atomic write. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>
#include "base/arena.h"
#include "base/mem.h"
#include "io/archive.h"
#include "io/atomic.h"

struct ArchiveWriter {
    Atomic file;
    zip_t *zip;
    zip_error_t error;
    Err err;     /* the reason, when writing to the file failed */
    Arena arena; /* headers of entries */
    char name[READER_NAME];
};

static zip_int64_t refuse(ArchiveWriter *writer, int code, int reason) {
    zip_error_set(&writer->error, code, reason);
    return -1;
}

static zip_int64_t append(ArchiveWriter *writer, const void *data, zip_uint64_t bytes) {
    if (atomic_append(&writer->file, data, bytes, &writer->err))
        return (zip_int64_t)bytes;
    return refuse(writer, ZIP_ER_WRITE, errno);
}

static zip_int64_t seek(ArchiveWriter *writer, void *data, zip_uint64_t bytes) {
    off_t now = lseek(writer->file.fd, 0, SEEK_CUR),
          size = lseek(writer->file.fd, 0, SEEK_END);
    if (now < 0 || size < 0) return refuse(writer, ZIP_ER_SEEK, errno);
    zip_int64_t to = zip_source_seek_compute_offset((zip_uint64_t)now, (zip_uint64_t)size,
                                                    data, bytes, &writer->error);
    if (to < 0) return -1;
    if (lseek(writer->file.fd, to, SEEK_SET) < 0)
        return refuse(writer, ZIP_ER_SEEK, errno);
    return 0;
}

/* libzip's view of the new file: nothing is there yet, and it can be written. Whether it
 * is kept is decided by archive_finish, so committing and rolling back do nothing
 * here. */
static zip_int64_t target(void *state, void *data, zip_uint64_t bytes,
                          zip_source_cmd_t command) {
    ArchiveWriter *writer = state;
    switch (command) {
    case ZIP_SOURCE_SUPPORTS:
        return ZIP_SOURCE_SUPPORTS_WRITABLE;
    case ZIP_SOURCE_STAT:
        return refuse(writer, ZIP_ER_READ, ENOENT);
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&writer->error, data, bytes);
    case ZIP_SOURCE_WRITE:
        return append(writer, data, bytes);
    case ZIP_SOURCE_SEEK_WRITE:
        return seek(writer, data, bytes);
    case ZIP_SOURCE_TELL_WRITE:
        return lseek(writer->file.fd, 0, SEEK_CUR);
    case ZIP_SOURCE_BEGIN_WRITE:
    case ZIP_SOURCE_COMMIT_WRITE:
    case ZIP_SOURCE_ROLLBACK_WRITE:
    case ZIP_SOURCE_FREE:
        return 0;
    default:
        return refuse(writer, ZIP_ER_OPNOTSUPP, 0);
    }
}

static bool fail(ArchiveWriter *writer, zip_error_t *error, Err *err) {
    if (writer->err.set) return err_set(err, "%s", writer->err.text);
    return err_set(err, "cannot write '%s': %s", writer->name, zip_error_strerror(error));
}

static bool open_zip(ArchiveWriter *writer, Err *err) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_function_create(target, writer, &error);
    if (source) writer->zip = zip_open_from_source(source, ZIP_CREATE, &error);
    if (!writer->zip) {
        if (source) zip_source_free(source);
        fail(writer, &error, err);
    }
    zip_error_fini(&error);
    return writer->zip != NULL;
}

ArchiveWriter *archive_create(const char *path, Err *err) {
    ArchiveWriter *writer = mem_zalloc(sizeof *writer);
    if (!writer) {
        err_set(err, "cannot write '%.600s': %s", path, strerror(ENOMEM));
        return NULL;
    }
    zip_error_init(&writer->error);
    text_printable(path, strlen(path), writer->name, sizeof writer->name);
    if (!atomic_open(&writer->file, path, err)) {
        mem_free(writer);
        return NULL;
    }
    if (open_zip(writer, err)) return writer;
    archive_cancel(writer);
    return NULL;
}

bool archive_add(ArchiveWriter *writer, const char *name, const void *header,
                 size_t header_bytes, const void *data, size_t bytes, bool deflate,
                 Err *err) {
    /* 1 January 1980 at midnight, the first moment of the format. */
    enum { FIRST_DATE = 1 << 5 | 1 };
    char *copy = arena_alloc(&writer->arena, header_bytes ? header_bytes : 1);
    if (!copy)
        return err_set(err, "cannot write '%s': %s", writer->name, strerror(ENOMEM));
    memcpy(copy, header, header_bytes);
    zip_buffer_fragment_t parts[] = {{(zip_uint8_t *)copy, header_bytes},
                                     {(zip_uint8_t *)(uintptr_t)data, bytes}};
    /* libzip stumbles over an empty part in front of another. */
    int first = header_bytes == 0 && bytes ? 1 : 0, end = bytes ? 2 : 1;
    zip_source_t *source = zip_source_buffer_fragment(writer->zip, parts + first,
                                                      (zip_uint64_t)(end - first), 0);
    if (!source) return fail(writer, zip_get_error(writer->zip), err);
    zip_int64_t index = zip_file_add(writer->zip, name, source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
        zip_source_free(source);
        return err_set(err, "cannot write '%s': entry '%.160s': %s", writer->name, name,
                       zip_error_strerror(zip_get_error(writer->zip)));
    }
    zip_uint64_t entry = (zip_uint64_t)index;
    if (zip_set_file_compression(writer->zip, entry,
                                 deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0) ||
        zip_file_set_dostime(writer->zip, entry, 0, FIRST_DATE, 0))
        return fail(writer, zip_get_error(writer->zip), err);
    return true;
}

static void release(ArchiveWriter *writer) {
    atomic_cancel(&writer->file);
    zip_error_fini(&writer->error);
    arena_free(&writer->arena);
    mem_free(writer);
}

void archive_cancel(ArchiveWriter *writer) {
    if (writer->zip) zip_discard(writer->zip);
    release(writer);
}

bool archive_finish(ArchiveWriter *writer, Err *err) {
    /* libzip writes no archive without entries; that is its end record alone. */
    static const char empty[22] = "PK\5\6";
    bool ok;
    if (zip_get_num_entries(writer->zip, 0) == 0) {
        zip_discard(writer->zip);
        ok = atomic_append(&writer->file, empty, sizeof empty, err);
    } else {
        ok = zip_close(writer->zip) == 0;
        if (!ok) {
            fail(writer, zip_get_error(writer->zip), err);
            zip_discard(writer->zip);
        }
    }
    ok = ok && atomic_commit(&writer->file, err);
    release(writer);
    return ok;
}
