#define _GNU_SOURCE
#include "base/mem.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* In front of each block stand MEM_ALIGN bytes that hold its size. */
typedef struct Header {
    _Alignas(MEM_ALIGN) size_t bytes;
} Header;

static atomic_size_t bytes_alive, bytes_peak;
static atomic_uint_least64_t allocations;
static atomic_int_least64_t fail_countdown; /* 0: off */

static bool told_to_fail(void) {
    if (atomic_load_explicit(&fail_countdown, memory_order_relaxed) <= 0) return false;
    return atomic_fetch_sub(&fail_countdown, 1) == 1;
}

static void count(size_t bytes) {
    size_t alive =
        atomic_fetch_add_explicit(&bytes_alive, bytes, memory_order_relaxed) + bytes;
    size_t peak = atomic_load_explicit(&bytes_peak, memory_order_relaxed);
    while (alive > peak && !atomic_compare_exchange_weak(&bytes_peak, &peak, alive))
        continue;
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
}

/* Large blocks ask for huge pages: rows that lie anywhere in one then cost fewer walks
 * through page tables, and the pages come faster. Only a wish; what the system makes of it
 * changes nothing else. */
enum { HUGE_PAGE = 2 << 20, HUGE_FROM = 4 << 20 };

static bool get_memory(size_t bytes, void **memory) {
    if (bytes < HUGE_FROM) return posix_memalign(memory, MEM_ALIGN, bytes) == 0;
    if (posix_memalign(memory, HUGE_PAGE, bytes) != 0) return false;
    madvise(*memory, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    return true;
}

void *mem_alloc(size_t bytes) {
    if (told_to_fail() || bytes > PTRDIFF_MAX - sizeof(Header)) return NULL;
    void *memory;
    if (!get_memory(sizeof(Header) + bytes, &memory)) return NULL;
    Header *header = memory;
    header->bytes = bytes;
    count(bytes);
    return header + 1;
}

void *mem_zalloc(size_t bytes) {
    void *block = mem_alloc(bytes);
    if (block) memset(block, 0, bytes);
    return block;
}

void *mem_grow(void *block, size_t bytes) {
    void *larger = mem_alloc(bytes);
    if (!larger || !block) return larger;
    size_t old = ((Header *)block - 1)->bytes;
    memcpy(larger, block, old < bytes ? old : bytes);
    mem_free(block);
    return larger;
}

void mem_free(void *block) {
    if (!block) return;
    Header *header = (Header *)block - 1;
    atomic_fetch_sub_explicit(&bytes_alive, header->bytes, memory_order_relaxed);
    free(header);
}

char *mem_strdup(const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = mem_alloc(bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

size_t mem_bytes(void) { return atomic_load(&bytes_alive); }
size_t mem_peak(void) { return atomic_load(&bytes_peak); }
uint64_t mem_allocations(void) { return atomic_load(&allocations); }
void mem_fail_at(int64_t n) { atomic_store(&fail_countdown, n); }

bool mem_product(size_t a, size_t b, size_t *product) {
    size_t result;
    if (__builtin_mul_overflow(a, b, &result)) return false;
    *product = result;
    return true;
}
