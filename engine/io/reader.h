/* A reader gives the bytes of a file from front to back: of a plain file, of one
 * compressed by gzip (recognised by its first bytes), or of one entry in a zip archive.
 *
 *     Reader reader;
 *     if (!reader_open(&reader, path, &err)) return false;
 *     bool ok = reader_take(&reader, header, 10, &err) && reader_end(&reader, &err);
 *     reader_close(&reader);
 *
 * Every message begins with the reader's name, the file (and entry) that is read. `most`
 * is what a damaged file cannot get round: an upper bound of the bytes still to come,
 * known before they are read. Compare with it before allocating what a header asks
 * for. */
#ifndef CDL_IO_READER_H
#define CDL_IO_READER_H
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

enum { READER_NAME = 512 };

typedef struct Reader Reader;
struct Reader {
    char name[READER_NAME]; /* for messages: printable, cut if very long */
    uint64_t most;
    void *handle;
    /* Up to `bytes` bytes; *got is smaller only at the end of the data. */
    bool (*read)(Reader *reader, void *to, size_t bytes, size_t *got, Err *err);
    void (*close)(Reader *reader);
};

/* Opens a regular file, plain or gzip. */
bool reader_open(Reader *out, const char *path, Err *err);
/* The same without looking for gzip: for formats whose own first bytes may look like it. */
bool reader_open_plain(Reader *out, const char *path, Err *err);
void reader_close(Reader *reader);

/* Exactly so many bytes; an error says how many are missing. */
bool reader_take(Reader *reader, void *to, size_t bytes, Err *err);
/* Checks that nothing follows (which also verifies the checksum of compressed data). */
bool reader_end(Reader *reader, Err *err);
/* All that is left, with a '\0' behind it, in a block for mem_free. */
bool reader_rest(Reader *reader, char **text, size_t *bytes, Err *err);

/* The size of a regular file; an error for what is missing, a folder, a device, a
 * pipe. */
bool file_size(const char *path, uint64_t *bytes, Err *err);

/* Text from a file for a message: control characters become '?', cut to size - 1
 * bytes. */
const char *text_printable(const char *from, size_t bytes, char *to, size_t size);

/* Deflate cannot make more than this many bytes out of one (zlib's documentation). */
enum { DEFLATE_RATIO = 1032 };

#endif
