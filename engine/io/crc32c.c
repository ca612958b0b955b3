#include "io/crc32c.h"
#include <string.h>

/* The polynomial 0x1EDC6F41 with its bits reversed. Four bits at a time keep the table small:
 * only CPUs without the instruction use it. */
static uint32_t by_table(uint32_t sum, const unsigned char *at, size_t bytes) {
    static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                       0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                       0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                       0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    while (bytes--) {
        sum ^= *at++;
        sum = sum >> 4 ^ table[sum & 15];
        sum = sum >> 4 ^ table[sum & 15];
    }
    return sum;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
by_instruction(uint32_t sum, const unsigned char *at, size_t bytes) {
    uint64_t wide = sum, word;
    for (; bytes >= sizeof word; at += sizeof word, bytes -= sizeof word) {
        memcpy(&word, at, sizeof word);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    sum = (uint32_t)wide;
    while (bytes--) sum = __builtin_ia32_crc32qi(sum, *at++);
    return sum;
}
#endif

uint32_t crc32c(uint32_t sum, const void *data, size_t bytes) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~by_instruction(~sum, data, bytes);
#endif
    return ~by_table(~sum, data, bytes);
}
