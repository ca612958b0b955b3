#define _GNU_SOURCE
#include "kernels/blas.h"
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/log.h"
#include "kernels/isa.h"

static const char CORE_VARIABLE[] = "OPENBLAS_CORETYPE";
static const char THREADS_VARIABLE[] = "OPENBLAS_NUM_THREADS";

/* The x86-64 kernels of OpenBLAS by the vectors that they use. A name that is not here is
 * a newer one, and the library's choice is trusted. */
static const struct {
    const char *core;
    int rank; /* 0 SSE3 and older, 1 SSE4, 2 AVX, 3 AVX2, 4 AVX-512 */
} cores[] = {
    {"skylakex", 4},   {"cooperlake", 4},  {"sapphirerapids", 4}, {"haswell", 3},
    {"zen", 3},        {"excavator", 3},   {"sandybridge", 2},    {"bulldozer", 2},
    {"piledriver", 2}, {"steamroller", 2}, {"nehalem", 1},        {"dunnington", 1},
    {"penryn", 1},     {"atom", 1},        {"barcelona", 1},      {"bobcat", 1},
    {"core2", 0},      {"prescott", 0},    {"katmai", 0},         {"coppermine", 0},
    {"northwood", 0},  {"banias", 0},      {"opteron", 0},        {"opteron_sse3", 0},
    {"athlon", 0},     {"nano", 0},
};

static int core_rank(const char *core) {
    for (size_t i = 0; i < sizeof cores / sizeof *cores; i++)
        if (!strcasecmp(core, cores[i].core)) return cores[i].rank;
    return 99;
}

/* The best kernels for this CPU; NULL: leave it to the library. */
static const char *best_core(void) {
    if (isa_supported(ISA_AVX512)) return "SKYLAKEX";
    if (isa_supported(ISA_AVX2)) return "HASWELL";
    return NULL;
}

static void *open_library(void) {
    static const char *const names[] = {"libopenblas.so.0", "libopenblas.so",
                                        "libopenblas.0.dylib", "libopenblas.dylib"};
    const char *wanted = getenv("CDL_BLAS");
    if (wanted && *wanted) {
        if (!strcmp(wanted, "none")) return NULL;
        void *library = dlopen(wanted, RTLD_LAZY | RTLD_LOCAL);
        if (!library) log_warning("CDL_BLAS=%s: %s; going without", wanted, dlerror());
        return library;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *library = dlopen(names[i], RTLD_LAZY | RTLD_LOCAL);
        if (library) return library;
    }
    return NULL;
}

/* What a function of the library without arguments says; NULL: it has none such. */
static const char *ask(void *library, const char *function) {
    char *(*answer)(void) = (char *(*)(void))dlsym(library, function);
    return answer ? answer() : NULL;
}

static void read_core(void *library, Blas *blas) {
    const char *core = ask(library, "openblas_get_corename");
    if (core) snprintf(blas->core, sizeof blas->core, "%s", core);
}

static const char *configuration(void *library) {
    const char *text = ask(library, "openblas_get_config");
    return text ? text : "";
}

/* The library describes itself as "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...". */
static void read_version(void *library, Blas *blas) {
    if (sscanf(configuration(library), "OpenBLAS %31s", blas->version) != 1)
        snprintf(blas->version, sizeof blas->version, "of unknown version");
    struct link_map *map = NULL;
    if (!dlinfo(library, RTLD_DI_LINKMAP, &map) && map)
        snprintf(blas->path, sizeof blas->path, "%s", map->l_name);
}

/* Has the library choose its kernels again if it took worse ones than the CPU can run. It
 * exports its own initialisation, which must be repeated before its first product. */
static void choose_core(void *library, Blas *blas) {
    const char *best = best_core();
    if (getenv(CORE_VARIABLE) || !best || core_rank(blas->core) >= core_rank(best))
        return;
    void (*quit)(void) = (void (*)(void))dlsym(library, "gotoblas_dynamic_quit");
    void (*init)(void) = (void (*)(void))dlsym(library, "gotoblas_dynamic_init");
    if (!quit || !init) return;
    setenv(CORE_VARIABLE, best, 1);
    quit();
    init();
    unsetenv(CORE_VARIABLE); /* child processes choose for themselves */
    read_core(library, blas);
}

/* With more than one thread the library starts spinning workers while it is being loaded.
 */
static void *open_with_one_thread(void) {
    const char *threads = getenv(THREADS_VARIABLE);
    char *kept = threads ? strdup(threads) : NULL;
    if (threads && !kept) return NULL;
    setenv(THREADS_VARIABLE, "1", 1);
    void *library = open_library();
    if (kept)
        setenv(THREADS_VARIABLE, kept, 1);
    else
        unsetenv(THREADS_VARIABLE);
    free(kept);
    return library;
}

enum { TRIAL = 3 };

/* A small product, all numbers in it exact: a library that only calls itself OpenBLAS does
 * not spoil results. */
static bool computes(const Blas *blas) {
    float a[TRIAL * TRIAL], b[TRIAL * TRIAL], c[TRIAL * TRIAL];
    double x[TRIAL * TRIAL], y[TRIAL * TRIAL], z[TRIAL * TRIAL];
    for (int i = 0; i < TRIAL * TRIAL; i++) {
        x[i] = a[i] = (float)(i + 1);
        y[i] = b[i] = (float)(i * i - 5);
        z[i] = c[i] = 99;
    }
    blas->sgemm(BLAS_ROW_MAJOR, BLAS_PLAIN, BLAS_TRANSPOSED, TRIAL, TRIAL, TRIAL, 1, a,
                TRIAL, b, TRIAL, 0, c, TRIAL);
    blas->dgemm(BLAS_ROW_MAJOR, BLAS_TRANSPOSED, BLAS_PLAIN, TRIAL, TRIAL, TRIAL, 1, x,
                TRIAL, y, TRIAL, 0, z, TRIAL);
    for (int m = 0; m < TRIAL; m++) {
        for (int n = 0; n < TRIAL; n++) {
            double single = 0, twice = 0;
            for (int k = 0; k < TRIAL; k++) {
                single += a[m * TRIAL + k] * b[n * TRIAL + k];
                twice += x[k * TRIAL + m] * y[k * TRIAL + n];
            }
            if (c[m * TRIAL + n] != (float)single || z[m * TRIAL + n] != twice)
                return false;
        }
    }
    return true;
}

static Blas loaded;
static bool present;

/* A library that was asked for and is no good is worth a warning. So is one that computes
 * something else; one without our functions is somebody else's business. */
static void refuse(void *library, const char *why, bool always) {
    const char *wanted = getenv("CDL_BLAS");
    const bool named = wanted && *wanted;
    if (named || always)
        log_warning("%s%s: %s; going without", named ? "CDL_BLAS=" : "",
                    named          ? wanted
                    : *loaded.path ? loaded.path
                                   : "OpenBLAS",
                    why);
    dlclose(library);
}

static void load(void) {
    void *library = open_with_one_thread();
    if (!library) return;
    loaded.sgemm = (BlasSgemm *)dlsym(library, "cblas_sgemm");
    loaded.dgemm = (BlasDgemm *)dlsym(library, "cblas_dgemm");
    if (!loaded.sgemm || !loaded.dgemm) {
        refuse(library, "it has no cblas_sgemm and cblas_dgemm", false);
        return;
    }
    /* Such a library takes other arguments under the same names. */
    if (strstr(configuration(library), "USE64BITINT")) {
        refuse(library, "its sizes have 64 bits", false);
        return;
    }
    void (*set_threads)(int) = (void (*)(int))dlsym(library, "openblas_set_num_threads");
    if (set_threads) set_threads(1);
    read_version(library, &loaded);
    read_core(library, &loaded);
    if (*loaded.core) choose_core(library, &loaded);
    present = computes(&loaded);
    if (!present) refuse(library, "its products are wrong", true);
}

const Blas *blas_get(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return present ? &loaded : NULL;
}

char *blas_description(char *text, size_t bytes) {
    const Blas *blas = blas_get();
    if (!blas)
        snprintf(text, bytes, "none");
    else if (!*blas->core)
        snprintf(text, bytes, "%s (%s)", blas->version, blas->path);
    else
        snprintf(text, bytes, "%s, %s kernels (%s)", blas->version, blas->core,
                 blas->path);
    return text;
}
