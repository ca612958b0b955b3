#include "tensor/buffer.h"
#include "base/mem.h"

/* AddressSanitizer is told which bytes of a block are in nobody's hands: those beyond the
 * size asked for, and all of a block in the free list. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define FORBID(at, bytes) ASAN_POISON_MEMORY_REGION(at, bytes)
#define PERMIT(at, bytes) ASAN_UNPOISON_MEMORY_REGION(at, bytes)
#else
#define FORBID(at, bytes) ((void)(at))
#define PERMIT(at, bytes) ((void)(at))
#endif

/* The data follow the Buffer in the same block, on the next aligned address. In the free
 * list, `data` of a buffer is the list's next one. */
_Static_assert(sizeof(Buffer) <= MEM_ALIGN, "the head fits in front of the data");
enum { HEAD = MEM_ALIGN, CLASSES = 4 * 64 };

static Buffer *kept[CLASSES];
static size_t kept_bytes;
static int64_t alive;

/* Classes are the powers of two and three steps between each, from 64 bytes on: at most a
 * quarter is wasted. Returns the class and its size. */
static int size_class(size_t bytes, size_t *size) {
    if (bytes < 64) bytes = 64;
    int power = 63 - __builtin_clzll(bytes);
    int shift = power - 2; /* a quarter of the power is 1 << shift */
    size_t quarters = (bytes + ((size_t)1 << shift) - 1) >> shift; /* 4..8 */
    *size = quarters << shift;
    return 4 * power + (int)quarters - 4;
}

Buffer *buffer_new(size_t bytes) {
    size_t size;
    int class = size_class(bytes, &size);
    Buffer *buffer = kept[class];
    if (buffer) {
        kept[class] = buffer->data;
        kept_bytes -= size;
    } else {
        buffer = mem_alloc(HEAD + size);
        if (!buffer) return NULL;
    }
    char *data = (char *)buffer + HEAD;
    PERMIT(data, bytes);
    FORBID(data + bytes, size - bytes);
    *buffer = (Buffer){.data = data, .bytes = bytes, .references = 1};
    alive++;
    return buffer;
}

void buffer_release(Buffer *buffer) {
    if (--buffer->references > 0) return;
    alive--;
    size_t size;
    int class = size_class(buffer->bytes, &size);
    /* A full list holds sizes that are out of use by now: it starts anew. */
    if (kept_bytes + size > BUFFER_KEPT) tensor_trim();
    if (size > BUFFER_KEPT) {
        PERMIT((char *)buffer + HEAD, size);
        mem_free(buffer);
        return;
    }
    FORBID((char *)buffer + HEAD, size);
    buffer->data = kept[class];
    kept[class] = buffer;
    kept_bytes += size;
}

void tensor_trim(void) {
    for (int class = 0; class < CLASSES; class ++) {
        while (kept[class]) {
            Buffer *buffer = kept[class];
            size_t size;
            size_class(buffer->bytes, &size);
            kept[class] = buffer->data;
            PERMIT((char *)buffer + HEAD, size);
            mem_free(buffer);
        }
    }
    kept_bytes = 0;
}

int64_t tensor_alive(void) { return alive; }
