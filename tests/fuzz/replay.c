/* Without libFuzzer: every file of a folder as it is, then changed a number of times, always in
 * the same ways.    fuzz_npy FOLDER TIMES */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "fuzz.h"

enum { LONGEST = 1 << 16 };

static uint64_t state = 88172645463325252u;

static uint64_t draw(void) { /* xorshift64 (Marsaglia 2003) */
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static size_t below(size_t n) { return n ? (size_t)(draw() % n) : 0; }

/* Numbers at which sizes and offsets go wrong. */
static void put_number(uint8_t *at, size_t room) {
    static const uint64_t numbers[] = {0,
                                       1,
                                       0x7f,
                                       0xff,
                                       0x7fff,
                                       0xffff,
                                       0x7fffffff,
                                       0xffffffff,
                                       0x7fffffffffffffff,
                                       0xffffffffffffffff};
    uint64_t number = numbers[below(sizeof numbers / sizeof *numbers)];
    size_t width = (size_t)1 << below(4);
    if (width <= room) memcpy(at, &number, width);
}

/* One change of a file; gives its new size. */
static size_t change(uint8_t *data, size_t size) {
    size_t at = below(size), n = below(size - at < 16 ? size - at + 1 : 17);
    switch (below(6)) {
    case 0:
        if (size) data[at] ^= (uint8_t)(1u << below(8));
        return size;
    case 1:
        if (size) data[at] = (uint8_t)draw();
        return size;
    case 2:
        put_number(data + at, size - at);
        return size;
    case 3: /* cut out */
        memmove(data + at, data + at + n, size - at - n);
        return size - n;
    case 4: /* repeated */
        if (size + n > LONGEST) return size;
        memmove(data + at + n, data + at, size - at);
        return size + n;
    default: /* a piece from elsewhere */
        memmove(data + at, data + below(size - n + 1), n);
        return size;
    }
}

static void try_file(const char *path, int times) {
    static uint8_t seed[LONGEST], changed[LONGEST];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    size_t size = fread(seed, 1, LONGEST, file);
    fclose(file);
    fuzz_bytes(seed, size);
    for (int k = 0; k < times; k++) {
        size_t now = size;
        memcpy(changed, seed, size);
        for (size_t n = 1 + below(4); n; n--) now = change(changed, now);
        fuzz_bytes(changed, now);
    }
}

int main(int argc, char **argv) {
    struct dirent **names;
    if (argc != 3) {
        fprintf(stderr, "usage: %s FOLDER TIMES\n", argv[0]);
        return 2;
    }
    /* A file may ask for more memory than there is, and must be told so. Sanitizers need more
     * than this for themselves. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    setrlimit(RLIMIT_AS, &(struct rlimit){(rlim_t)4 << 30, (rlim_t)4 << 30});
#endif
    int count = scandir(argv[1], &names, NULL, alphasort), tried = 0;
    if (count < 0) {
        perror(argv[1]);
        return 2;
    }
    for (int k = 0; k < count; k++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], names[k]->d_name);
        if (names[k]->d_name[0] != '.') {
            try_file(path, atoi(argv[2]));
            tried++;
        }
        free(names[k]);
    }
    free(names);
    printf("%d files, each changed %s times\n", tried, argv[2]);
    return tried == 0;
}
