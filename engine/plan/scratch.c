#include "base/mem.h"
#include "plan/internal.h"

/* One arena for all plans of the process: they run one after the other, and nothing in it
 * lives on between runs. */
static struct {
    char *base;
    size_t bytes;
    uint64_t generation;
} scratch = {NULL, 0, 1};

char *scratch_base(void) { return scratch.base; }
uint64_t scratch_generation(void) { return scratch.generation; }

void plan_release_scratch(void) {
    if (!scratch.base) return;
    mem_free(scratch.base);
    scratch.base = NULL;
    scratch.bytes = 0;
    scratch.generation++;
}

bool scratch_reserve(size_t bytes, Err *err) {
    if (bytes <= scratch.bytes) return true;
    plan_release_scratch(); /* first, so that the peak is not the sum of both */
    char *base = mem_alloc(bytes);
    if (!base) return err_set(err, "out of memory for %zu bytes of scratch", bytes);
    scratch.base = base;
    scratch.bytes = bytes;
    scratch.generation++;
    return true;
}
