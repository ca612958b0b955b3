#include "io/named.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

void named_free(NamedTensors *arrays) {
    for (int64_t k = 0; k < arrays->count; k++) {
        mem_free((void *)(uintptr_t)arrays->list[k].name);
        tensor_release(&arrays->list[k].tensor);
    }
    mem_free(arrays->list);
    *arrays = (NamedTensors){0};
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool check_sorted(const char *path, const char **names, int64_t count, Err *err) {
    qsort(names, (size_t)count, sizeof *names, compare_names);
    for (int64_t k = 1; k < count; k++)
        if (strcmp(names[k - 1], names[k]) == 0)
            return err_set(err, "%.600s: the name '%.160s' stands there twice", path,
                           names[k]);
    return true;
}

bool named_check(const char *path, const NamedTensor *list, int64_t count, Err *err) {
    const char **names = mem_alloc((size_t)count * sizeof *names + 1);
    if (!names) return err_set(err, "%.600s: not enough memory for its names", path);
    for (int64_t k = 0; k < count; k++) names[k] = list[k].name;
    bool ok = check_sorted(path, names, count, err);
    mem_free(names);
    return ok;
}
