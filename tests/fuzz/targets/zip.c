/* Every entry of an archive, as .keras files are read. */
#include "../fuzz.h"
#include "base/mem.h"
#include "io/archive.h"

const bool fuzz_frees_all = true;

static void read_entry(const Archive *archive, int64_t index) {
    Reader reader;
    char *text;
    size_t bytes;
    if (!archive_reader(archive, index, &reader, NULL)) return;
    if (reader_rest(&reader, &text, &bytes, NULL)) mem_free(text);
    reader_close(&reader);
}

void fuzz_file(const char *path) {
    Archive *archive = archive_open(path, NULL);
    for (int64_t k = 0; archive && k < archive_count(archive); k++)
        read_entry(archive, k);
    archive_close(archive);
}
