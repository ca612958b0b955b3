/* An arena: many small things with one lifetime (the nodes of a graph, a plan's steps).
 * Nothing in it is freed alone; arena_free gives all back. Blocks never move.
 *
 *     Arena arena = {0};
 *     Node *node = arena_alloc(&arena, sizeof *node);    // zeroed; NULL: no memory
 *     arena_free(&arena);                                // arena is empty and usable again */
#ifndef CDL_BASE_ARENA_H
#define CDL_BASE_ARENA_H
#include <stddef.h>

typedef struct Arena {
    struct ArenaBlock *last;
} Arena;

void *arena_alloc(Arena *arena, size_t bytes); /* zeroed, aligned to 16 bytes */
char *arena_strdup(Arena *arena, const char *text);
void arena_free(Arena *arena);

#endif
