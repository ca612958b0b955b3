/* Arenas: alignment, stable addresses, everything given back. */
#include "base/arena.h"
#include <stdint.h>
#include "base/mem.h"
#include "test.h"

enum { THINGS = 3000 };

static size_t size_of_thing(int i) {
    return i % 500 == 499 ? 40000 : (size_t)(i * 7 % 90);
}

static void things_are_zeroed_apart_and_stay(void) {
    size_t bytes = mem_bytes();
    Arena arena = {0};
    static unsigned char *thing[THINGS];
    unsigned dirty = 0;
    for (int i = 0; i < THINGS; i++) {
        thing[i] = arena_alloc(&arena, size_of_thing(i));
        CHECK(thing[i] && (uintptr_t)thing[i] % 16 == 0);
        for (size_t k = 0; k < size_of_thing(i); k++) dirty |= thing[i][k];
        memset(thing[i], i % 251 + 1, size_of_thing(i));
    }
    CHECK(dirty == 0);
    int changed = 0;
    for (int i = 0; i < THINGS; i++)
        for (size_t k = 0; k < size_of_thing(i); k++)
            changed += thing[i][k] != i % 251 + 1;
    CHECK(changed == 0);
    CHECK(mem_bytes() > bytes);
    arena_free(&arena);
    CHECK(mem_bytes() == bytes);
    CHECK(arena_alloc(&arena, 1)); /* usable again */
    arena_free(&arena);
    arena_free(&arena);
    CHECK(mem_bytes() == bytes);
}

static void small_things_share_a_block(void) {
    Arena arena = {0};
    CHECK(arena_alloc(&arena, 8));
    uint64_t allocations = mem_allocations();
    for (int i = 0; i < 100; i++) CHECK(arena_alloc(&arena, 8));
    CHECK(mem_allocations() == allocations);
    CHECK(arena_alloc(&arena, 1 << 20));
    CHECK(mem_allocations() == allocations + 1);
    CHECK(arena_alloc(&arena, 8)); /* the first block goes on after a large one */
    CHECK(mem_allocations() == allocations + 1);
    CHECK(arena_alloc(&arena, 0) != arena_alloc(&arena, 0));
    arena_free(&arena);
}

static void no_memory_leaves_the_arena_whole(void) {
    size_t bytes = mem_bytes();
    Arena arena = {0};
    mem_fail_at(1);
    CHECK(!arena_alloc(&arena, 8));
    char *text = arena_strdup(&arena, "kept");
    mem_fail_at(1);
    CHECK(!arena_alloc(&arena, 1 << 20));
    CHECK(!arena_alloc(&arena, SIZE_MAX));
    CHECK(strcmp(text, "kept") == 0);
    arena_free(&arena);
    CHECK(mem_bytes() == bytes);
}

TEST_MAIN(things_are_zeroed_apart_and_stay, small_things_share_a_block,
          no_memory_leaves_the_arena_whole)
