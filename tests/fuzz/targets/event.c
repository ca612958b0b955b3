#include "../fuzz.h"
#include "base/mem.h"
#include "io/event_file.h"

const bool fuzz_frees_all = true;

void fuzz_file(const char *path) {
    char *records;
    size_t bytes;
    int64_t damaged;
    if (event_read(path, &records, &bytes, &damaged, NULL)) mem_free(records);
}
