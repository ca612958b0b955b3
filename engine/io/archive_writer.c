/* Writing zip archives (PKWARE's APPNOTE 6.3): entries one behind the other as they are added,
 * and the directory behind the last. Sums and bytes go through the cache together, so that a
 * large array is read once; a library that keeps the entries until the end reads it twice. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include "base/arena.h"
#include "base/mem.h"
#include "io/archive.h"
#include "io/atomic.h"

enum {
    PIECE = 1 << 18,
    PACKED = 1 << 15,
    LOCAL = 30, /* bytes of the records without names and extra fields */
    CENTRAL = 46,
    END = 22,
    END64 = 56 + 20, /* with its locator */
    EXTRA = 4 + 24,  /* the field with 64-bit sizes and place */
    VERSION = 45,    /* of the format: 4.5 has these fields */
    UTF8 = 1 << 11,
    FIRST_DATE = 1 << 5 | 1 /* 1 January 1980, the first of the format */
};

/* Sizes and places from here on take 64 bits. */
static const uint64_t LARGE = UINT32_MAX;

typedef struct Entry {
    char *name;
    bool deflated;
    uint32_t crc;
    uint64_t size, packed, place;
} Entry;

struct ArchiveWriter {
    Atomic file;
    uint64_t at; /* bytes written */
    Entry *entries;
    int64_t count, room;
    Arena arena; /* names */
};

static char *put(char *to, uint64_t value, int bytes) {
    for (int k = 0; k < bytes; k++) *to++ = (char)(value >> 8 * k);
    return to;
}

static bool no_memory(const ArchiveWriter *writer, Err *err) {
    return err_set(err, "cannot write '%.600s': %s", writer->file.path, strerror(ENOMEM));
}

static bool append(ArchiveWriter *writer, const void *data, size_t bytes, Err *err) {
    writer->at += bytes;
    return atomic_append(&writer->file, data, bytes, err);
}

ArchiveWriter *archive_create(const char *path, Err *err) {
    ArchiveWriter *writer = mem_zalloc(sizeof *writer);
    if (!writer) {
        err_set(err, "cannot write '%.600s': %s", path, strerror(ENOMEM));
        return NULL;
    }
    if (atomic_open(&writer->file, path, err)) return writer;
    mem_free(writer);
    return NULL;
}

/* What the local header and the directory say alike, from the flags to the sizes. */
static char *put_common(char *to, const Entry *entry, bool wide) {
    bool ascii = true;
    for (const char *c = entry->name; *c; c++) ascii = ascii && !(*c & 0x80);
    to = put(to, VERSION, 2);
    to = put(to, ascii ? 0 : UTF8, 2);
    to = put(to, entry->deflated ? Z_DEFLATED : 0, 2);
    to = put(to, 0, 2); /* midnight */
    to = put(to, FIRST_DATE, 2);
    to = put(to, entry->crc, 4);
    to = put(to, wide ? LARGE : entry->packed, 4);
    to = put(to, wide ? LARGE : entry->size, 4);
    to = put(to, strlen(entry->name), 2);
    return put(to, wide ? EXTRA : 0, 2);
}

static char *put_extra(char *to, const Entry *entry) {
    to = put(put(to, 1, 2), EXTRA - 4, 2);
    to = put(put(to, entry->size, 8), entry->packed, 8);
    return put(to, entry->place, 8);
}

/* A local header leaves room for wide sizes when the data may need them; deflate makes what
 * it cannot pack a little larger. */
static bool may_be_large(const Entry *entry) {
    return entry->size > LARGE - LARGE / 1000;
}

static size_t local_header(const Entry *entry, char header[LOCAL + EXTRA]) {
    bool wide = may_be_large(entry);
    char *to = put_common(put(header, 0x04034b50, 4), entry, wide);
    if (wide) to = put_extra(to, entry);
    return (size_t)(to - header);
}

static bool is_wide(const Entry *entry) {
    return may_be_large(entry) || entry->packed >= LARGE || entry->place >= LARGE;
}

/* A piece of the data as it is, or through zlib. */
static bool append_piece(ArchiveWriter *writer, Entry *entry, z_stream *deflater,
                         const void *data, size_t bytes, bool last, Err *err) {
    char packed[PACKED];
    if (bytes) entry->crc = (uint32_t)crc32_z(entry->crc, data, bytes);
    if (!deflater) return append(writer, data, bytes, err);
    deflater->next_in = (Bytef *)(uintptr_t)data;
    deflater->avail_in = (uInt)bytes;
    do {
        deflater->next_out = (Bytef *)packed;
        deflater->avail_out = sizeof packed;
        deflate(deflater, last ? Z_FINISH : Z_NO_FLUSH);
        if (!append(writer, packed, sizeof packed - deflater->avail_out, err))
            return false;
    } while (deflater->avail_out == 0);
    return true;
}

static bool append_data(ArchiveWriter *writer, Entry *entry, z_stream *deflater,
                        const ArchivePart *parts, int64_t count, Err *err) {
    bool ok = true;
    for (int64_t k = 0; ok && k < count; k++) {
        const char *data = parts[k].data;
        size_t left = parts[k].bytes, piece;
        do {
            piece = left < PIECE ? left : PIECE;
            bool last = k == count - 1 && piece == left;
            ok = append_piece(writer, entry, deflater, data, piece, last, err);
            data += piece, left -= piece;
        } while (ok && left);
    }
    return ok;
}

/* The header again, now that sum and size are known. */
static bool correct_header(ArchiveWriter *writer, const Entry *entry, Err *err) {
    char header[LOCAL + EXTRA];
    char *extra = header + LOCAL;
    size_t bytes = local_header(entry, header), name = strlen(entry->name);
    off_t at = (off_t)entry->place;
    if (pwrite(writer->file.fd, header, LOCAL, at) == LOCAL &&
        (bytes == LOCAL ||
         pwrite(writer->file.fd, extra, EXTRA, at + LOCAL + (off_t)name) == EXTRA))
        return true;
    return err_set(err, "cannot write '%.600s': %s", writer->file.path, strerror(errno));
}

static Entry *new_entry(ArchiveWriter *writer, const char *name, Err *err) {
    if (writer->count == writer->room) {
        int64_t room = writer->room ? 2 * writer->room : 16;
        Entry *grown = mem_grow(writer->entries, (size_t)room * sizeof *grown);
        if (!grown) return no_memory(writer, err), NULL;
        writer->entries = grown, writer->room = room;
    }
    char *copy = arena_strdup(&writer->arena, name);
    if (!copy) return no_memory(writer, err), NULL;
    Entry *entry = &writer->entries[writer->count++];
    *entry = (Entry){.name = copy, .place = writer->at};
    return entry;
}

bool archive_add_parts(ArchiveWriter *writer, const char *name, const ArchivePart *parts,
                       int64_t count, bool deflated, Err *err) {
    char local[LOCAL + EXTRA];
    z_stream deflater = {0};
    if (strlen(name) > UINT16_MAX)
        return err_set(err, "cannot write '%.600s': the name '%.60s...' is too long",
                       writer->file.path, name);
    Entry *entry = new_entry(writer, name, err);
    if (!entry) return false;
    entry->deflated = deflated;
    for (int64_t k = 0; k < count; k++) entry->size += parts[k].bytes;
    size_t local_bytes = local_header(entry, local);
    if (!append(writer, local, LOCAL, err) || !append(writer, name, strlen(name), err) ||
        !append(writer, local + LOCAL, local_bytes - LOCAL, err))
        return false;
    if (deflated && deflateInit2(&deflater, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS,
                                 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return no_memory(writer, err);
    uint64_t start = writer->at;
    bool ok = append_data(writer, entry, deflated ? &deflater : NULL, parts, count, err);
    if (deflated) deflateEnd(&deflater);
    entry->packed = writer->at - start;
    return ok && correct_header(writer, entry, err);
}

bool archive_add(ArchiveWriter *writer, const char *name, const void *header,
                 size_t header_bytes, const void *data, size_t bytes, bool deflated,
                 Err *err) {
    ArchivePart parts[] = {{header, header_bytes}, {data, bytes}};
    return archive_add_parts(writer, name, parts, 2, deflated, err);
}

static bool append_central(ArchiveWriter *writer, const Entry *entry, Err *err) {
    char record[CENTRAL], extra[EXTRA];
    bool wide = is_wide(entry);
    char *to = put(put(record, 0x02014b50, 4), 3 << 8 | VERSION, 2); /* made on Unix */
    to = put_common(to, entry, wide);
    to = put(put(put(to, 0, 2), 0, 2), 0, 2); /* comment, disk, text or not */
    to = put(to, (uint64_t)0100644 << 16, 4); /* a file that all may read */
    put(to, wide ? LARGE : entry->place, 4);
    put_extra(extra, entry);
    return append(writer, record, CENTRAL, err) &&
           append(writer, entry->name, strlen(entry->name), err) &&
           append(writer, extra, wide ? EXTRA : 0, err);
}

static bool append_end(ArchiveWriter *writer, uint64_t directory, Err *err) {
    char end[END64 + END], *to = end;
    uint64_t count = (uint64_t)writer->count, bytes = writer->at - directory;
    if (count >= UINT16_MAX || directory >= LARGE || bytes >= LARGE) {
        to = put(put(to, 0x06064b50, 4), 44, 8);
        to = put(put(to, VERSION, 2), VERSION, 2);
        to = put(put(to, 0, 4), 0, 4);
        to = put(put(to, count, 8), count, 8);
        to = put(put(to, bytes, 8), directory, 8);
        to = put(put(to, 0x07064b50, 4), 0, 4);
        to = put(put(to, writer->at, 8), 1, 4);
    }
    uint64_t shown = count < UINT16_MAX ? count : UINT16_MAX;
    to = put(put(put(to, 0x06054b50, 4), 0, 2), 0, 2);
    to = put(put(to, shown, 2), shown, 2);
    to = put(to, bytes < LARGE ? bytes : LARGE, 4);
    to = put(to, directory < LARGE ? directory : LARGE, 4);
    to = put(to, 0, 2);
    return append(writer, end, (size_t)(to - end), err);
}

void archive_cancel(ArchiveWriter *writer) {
    atomic_cancel(&writer->file);
    arena_free(&writer->arena);
    mem_free(writer->entries);
    mem_free(writer);
}

bool archive_finish(ArchiveWriter *writer, Err *err) {
    uint64_t directory = writer->at;
    bool ok = true;
    for (int64_t k = 0; ok && k < writer->count; k++)
        ok = append_central(writer, &writer->entries[k], err);
    ok = ok && append_end(writer, directory, err) && atomic_commit(&writer->file, err);
    archive_cancel(writer);
    return ok;
}
