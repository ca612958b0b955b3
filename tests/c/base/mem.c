/* Blocks: alignment, counters, failure on demand. */
#include "base/mem.h"
#include <pthread.h>
#include "test.h"

static void blocks_are_aligned_and_counted(void) {
    size_t bytes = mem_bytes();
    uint64_t allocations = mem_allocations();
    void *block[20];
    size_t sum = 0;
    for (size_t i = 0; i < 20; i++) {
        block[i] = mem_alloc(i * 37);
        CHECK(block[i] && (uintptr_t)block[i] % MEM_ALIGN == 0);
        memset(block[i], 0xAB, i * 37);
        sum += i * 37;
    }
    CHECK(mem_bytes() == bytes + sum);
    CHECK(mem_peak() >= bytes + sum);
    CHECK(mem_allocations() == allocations + 20);
    for (size_t i = 0; i < 20; i++) mem_free(block[i]);
    mem_free(NULL);
    CHECK(mem_bytes() == bytes);
    CHECK(mem_peak() >= bytes + sum);
}

static void peak_is_the_most(void) {
    size_t size = mem_peak() + 1000;
    mem_free(mem_alloc(size));
    size_t peak = mem_peak();
    CHECK(peak == mem_bytes() + size);
    mem_free(mem_alloc(10));
    CHECK(mem_peak() == peak);
}

static void zeroed_and_copied(void) {
    /* A block of the size just freed is likely to be the same, full of ones. */
    void *used = mem_alloc(300);
    memset(used, 0xFF, 300);
    mem_free(used);
    unsigned char *zero = mem_zalloc(300);
    unsigned any = 0;
    for (int i = 0; i < 300; i++) any |= zero[i];
    CHECK(any == 0);
    mem_free(zero);
    char *copy = mem_strdup("a text");
    CHECK(strcmp(copy, "a text") == 0);
    mem_free(copy);
}

static void growing_keeps_contents(void) {
    size_t bytes = mem_bytes();
    unsigned char *block = mem_grow(NULL, 10);
    for (int i = 0; i < 10; i++) block[i] = (unsigned char)(i + 1);
    block = mem_grow(block, 5000);
    for (int i = 0; i < 10; i++) CHECK(block[i] == i + 1);
    CHECK(mem_bytes() == bytes + 5000);
    block = mem_grow(block, 3);
    CHECK(block[0] == 1 && block[2] == 3);
    CHECK(mem_bytes() == bytes + 3);
    mem_fail_at(1);
    CHECK(!mem_grow(block, 100));
    CHECK(block[0] == 1 && block[2] == 3); /* still valid */
    CHECK(mem_bytes() == bytes + 3);
    mem_free(block);
}

static void the_nth_allocation_fails_once(void) {
    uint64_t allocations = mem_allocations();
    mem_fail_at(3);
    void *block[4];
    for (int i = 0; i < 4; i++) block[i] = mem_alloc(8);
    CHECK(block[0] && block[1] && !block[2] && block[3]);
    CHECK(mem_allocations() == allocations + 3);
    for (int i = 0; i < 4; i++) mem_free(block[i]);
    mem_fail_at(1);
    mem_fail_at(0);
    void *given = mem_alloc(8);
    CHECK(given);
    mem_free(given);
    mem_fail_at(1);
    CHECK(!mem_strdup("text"));
    mem_fail_at(1);
    CHECK(!mem_zalloc(1));
}

static void impossible_sizes_are_refused(void) {
    size_t bytes = mem_bytes();
    CHECK(!mem_alloc(SIZE_MAX));
    CHECK(!mem_alloc(SIZE_MAX - MEM_ALIGN + 1));
    CHECK(!mem_zalloc(SIZE_MAX / 2 + 1));
    CHECK(mem_bytes() == bytes);
}

static void products_are_checked(void) {
    size_t product = 7;
    CHECK(mem_product(6, 7, &product) && product == 42);
    CHECK(mem_product(0, SIZE_MAX, &product) && product == 0);
    CHECK(mem_product(1, SIZE_MAX, &product) && product == SIZE_MAX);
    product = 7;
    CHECK(!mem_product((size_t)1 << 40, (size_t)1 << 30, &product));
    CHECK(!mem_product(2, SIZE_MAX / 2 + 1, &product));
    CHECK(product == 7);
}

static void *allocate_and_free(void *unused) {
    for (int i = 1; i < 2000; i++) mem_free(mem_alloc((size_t)i));
    return unused;
}

static void any_thread_may_allocate(void) {
    size_t bytes = mem_bytes();
    uint64_t allocations = mem_allocations();
    pthread_t thread[3];
    for (int i = 0; i < 3; i++)
        CHECK(!pthread_create(&thread[i], NULL, allocate_and_free, NULL));
    for (int i = 0; i < 3; i++) pthread_join(thread[i], NULL);
    CHECK(mem_bytes() == bytes);
    CHECK(mem_allocations() == allocations + 3 * 1999);
}

TEST_MAIN(blocks_are_aligned_and_counted, peak_is_the_most, zeroed_and_copied,
          growing_keeps_contents, the_nth_allocation_fails_once,
          impossible_sizes_are_refused, products_are_checked, any_thread_may_allocate)
