#ifdef CDL_HDF5
#include "io/h5_library.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"

/* Debian's names of the serial library, then the plain one; numbers of its versions.
 * trouble: what is wrong with one that is there. */
static void *open_library(char *trouble, size_t size) {
    static const char *const names[] = {"libhdf5_serial.so", "libhdf5.so"};
    static const int versions[] = {320, 310, 200, 103};
    char name[40];
    void *library = NULL;
    for (size_t k = 0; k < sizeof names / sizeof *names && !library; k++)
        for (size_t v = 0; v < sizeof versions / sizeof *versions && !library; v++) {
            snprintf(name, sizeof name, "%s.%d", names[k], versions[v]);
            library = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
            const char *text = library ? NULL : dlerror();
            if (text && !strstr(text, "No such file"))
                snprintf(trouble, size, "%s", text);
        }
    return library;
}

static bool find(void *library, const char *name, void *function, size_t size) {
    void *address = dlsym(library, name);
    if (address) memcpy(function, &address, size);
    return address != NULL;
}

static bool find_constant(void *library, const char *name, hid_t *value) {
    hid_t *address = NULL;
    if (!find(library, name, &address, sizeof address)) return false;
    *value = *address;
    return true;
}

static bool load(void *library, H5Library *h5) {
    bool whole = true;
#define X(name) whole &= find(library, "H5" #name, &h5->name, sizeof h5->name);
    H5_FUNCTIONS(X)
#undef X
    whole &= find(library, "H5Lget_info_by_idx1", &h5->Lget_info_by_idx,
                  sizeof h5->Lget_info_by_idx) ||
             find(library, "H5Lget_info_by_idx", &h5->Lget_info_by_idx,
                  sizeof h5->Lget_info_by_idx);
    if (!whole || h5->dont_atexit() < 0 || h5->open() < 0) return false;
#define X(name) whole &= find_constant(library, "H5" #name "_g", &h5->name);
    H5_CONSTANTS(X)
#undef X
    return whole && h5->Eset_auto2(H5E_DEFAULT, NULL, NULL) >= 0;
}

static bool has_room(size_t bytes) {
    enum { OWN = 4 << 20 };
    void *room = mem_alloc(OWN + bytes);
    mem_free(room);
    return room != NULL;
}

const H5Library *h5_library(size_t more, Err *err) {
    static H5Library h5;
    static void *library;
    static bool ready;
    char trouble[256] = "";
    if (!library) library = open_library(trouble, sizeof trouble);
    bool room = library && has_room(more);
    if (room && !ready) ready = load(library, &h5);
    if (room && ready) return &h5;
    if (room)
        err_set(err, "the HDF5 library is there but cannot be used");
    else if (library)
        err_set(err, "out of memory for the HDF5 library");
    else if (trouble[0])
        err_set(err,
                "the HDF5 library, which holds the weights of Keras's files, cannot "
                "be loaded: %s",
                trouble);
    else
        err_set(err, "the HDF5 library, which holds the weights of Keras's files, is not "
                     "installed: install libhdf5-103 (or a later one)");
    return NULL;
}
#endif
