/* Memory: every block that the engine owns comes from here. Blocks are aligned to 64
 * bytes, counted (bytes alive, their peak, number of allocations), and the n-th
 * allocation from now can be told to fail, so that tests reach every error path.
 *
 * All functions may be called from any thread. */
#ifndef CDL_BASE_MEM_H
#define CDL_BASE_MEM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MEM_ALIGN = 64 };

void *mem_alloc(size_t bytes);  /* uninitialised; NULL when there is none */
void *mem_zalloc(size_t bytes); /* zeroed */
void *mem_grow(void *block,
               size_t bytes); /* keeps the contents; NULL: block stays valid */
void mem_free(void *block);   /* NULL is fine */
char *mem_strdup(const char *text);

size_t mem_bytes(void);         /* alive now */
size_t mem_peak(void);          /* the most that was ever alive */
uint64_t mem_allocations(void); /* calls that gave a block, since the start */

/* The n-th allocation from now fails, once (1 is the next one); 0 switches it off. */
void mem_fail_at(int64_t n);

/* *product = a * b, or false when it does not fit. */
bool mem_product(size_t a, size_t b, size_t *product);

#endif
