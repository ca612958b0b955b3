#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/mem.h"
#include "fuzz.h"
#include "tensor/tensor.h"

static void fail(const char *what) {
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

/* The bytes become a file in memory. */
static void write_all(int fd, const uint8_t *data, size_t size) {
    if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0)
        fail("the file cannot be emptied");
    while (size) {
        ssize_t count = write(fd, data, size);
        if (count <= 0) fail("the file cannot be written");
        data += count, size -= (size_t)count;
    }
}

void fuzz_bytes(const uint8_t *data, size_t size) {
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        if (fd < 0) fail("there is no file in memory");
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        fuzz_file(path); /* what is made once */
    }
    write_all(fd, data, size);
    tensor_trim();
    size_t before = mem_bytes();
    int64_t alive = tensor_alive();
    fuzz_file(path);
    tensor_trim();
    if (fuzz_frees_all && tensor_alive() != alive) fail("a tensor is left over");
    if (fuzz_frees_all && mem_bytes() != before) fail("memory is left over");
}
