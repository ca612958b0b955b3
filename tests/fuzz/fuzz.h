/* Fuzz targets: each reads a file that may hold anything, in every way the program would. It may
 * be refused, but nothing may crash, hang or leak.
 *
 * Built with clang and -DCDL_FUZZ=ON a target is a libFuzzer program:
 *
 *     cdl tests/fuzz/seeds.lua seeds
 *     ulimit -n unlimited; ASAN_OPTIONS=allocator_may_return_null=1 \
 *         build-fuzz/fuzz_npy -max_len=4096 -rss_limit_mb=2048 found/npy seeds/npy
 *
 * Else it tries its seeds, each as it is and changed in a few hundred ways, which is what the
 * tests do:   build/fuzz_npy seeds/npy 300 */
#ifndef CDL_TESTS_FUZZ_FUZZ_H
#define CDL_TESTS_FUZZ_FUZZ_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The target: reads the file. */
void fuzz_file(const char *path);

/* False for a target whose memory is Lua's, which is given back later. */
extern const bool fuzz_frees_all;

/* Has the target read these bytes; aborts when memory or a tensor is left over. */
void fuzz_bytes(const uint8_t *data, size_t size);

#endif
