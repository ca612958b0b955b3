#include "base/arena.h"
#include <stdint.h>
#include <string.h>
#include "base/mem.h"

enum { UNIT = 16, BLOCK_BYTES = 16 * 1024 - 2 * MEM_ALIGN };

/* Blocks form a chain, the newest last. The contents start at a multiple of UNIT because
 * mem's blocks do and so does the size of this head. */
typedef struct ArenaBlock {
    _Alignas(UNIT) struct ArenaBlock *before;
    size_t used, size;
    _Alignas(UNIT) char contents[];
} ArenaBlock;

static ArenaBlock *add_block(Arena *arena, size_t size) {
    ArenaBlock *block = mem_alloc(sizeof(ArenaBlock) + size);
    if (!block) return NULL;
    block->used = 0;
    block->size = size;
    /* A block made for one large thing goes behind the newest, whose rest stays in use.
     */
    ArenaBlock *last = arena->last;
    if (last && size > BLOCK_BYTES) {
        block->before = last->before;
        last->before = block;
    } else {
        block->before = last;
        arena->last = block;
    }
    return block;
}

void *arena_alloc(Arena *arena, size_t bytes) {
    if (bytes > PTRDIFF_MAX - BLOCK_BYTES) return NULL;
    bytes = (bytes + UNIT - 1) / UNIT * UNIT;
    if (bytes == 0) bytes = UNIT; /* different things have different addresses */
    ArenaBlock *block = arena->last;
    if (!block || block->size - block->used < bytes) {
        block = add_block(arena, bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES);
        if (!block) return NULL;
    }
    void *memory = block->contents + block->used;
    block->used += bytes;
    return memset(memory, 0, bytes);
}

char *arena_strdup(Arena *arena, const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = arena_alloc(arena, bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

void arena_free(Arena *arena) {
    ArenaBlock *block = arena->last;
    while (block) {
        ArenaBlock *before = block->before;
        mem_free(block);
        block = before;
    }
    arena->last = NULL;
}
