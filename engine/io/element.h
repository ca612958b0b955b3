/* The element types that files use, more than cdl computes with: reading brings each to
 * the nearest dtype that holds all its values (int8 and int16 become int32, uint32 int64,
 * float16 and bfloat16 float32). uint64 becomes int64, and a value that does not fit is an error. */
#ifndef CDL_IO_ELEMENT_H
#define CDL_IO_ELEMENT_H
#include "io/reader.h"
#include "tensor/tensor.h"

/*        id       kind bytes dtype   (NumPy has no bfloat16) */
#define ELEMENTS(X)                                                                      \
    X(BOOL, 'b', 1, BOOL)                                                                \
    X(UINT8, 'u', 1, UINT8)                                                              \
    X(UINT16, 'u', 2, INT32)                                                             \
    X(UINT32, 'u', 4, INT64)                                                             \
    X(UINT64, 'u', 8, INT64)                                                             \
    X(INT8, 'i', 1, INT32)                                                               \
    X(INT16, 'i', 2, INT32)                                                              \
    X(INT32, 'i', 4, INT32)                                                              \
    X(INT64, 'i', 8, INT64)                                                              \
    X(FLOAT16, 'f', 2, FLOAT32)                                                          \
    X(BFLOAT16, 0, 2, FLOAT32)                                                           \
    X(FLOAT32, 'f', 4, FLOAT32)                                                          \
    X(FLOAT64, 'f', 8, FLOAT64)

typedef enum Element {
#define X(id, kind, bytes, dtype) ELEMENT_##id,
    ELEMENTS(X)
#undef X
        ELEMENT_COUNT
} Element;

enum { HOST_BIG_ENDIAN = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ };

/* NumPy's kind letter and the size in bytes; false: no such type. */
bool element_find(char kind, int64_t bytes, Element *out);
size_t element_size(Element element);
char element_kind(Element element);
Element element_of(DType dtype); /* how a dtype is written */

/* The bytes that a shape takes in a file; false: more than can be. */
bool element_bytes(Element element, const Shape *shape, size_t *bytes);
/* Turns round the bytes of each element of a contiguous tensor. */
void element_swap(const Tensor *tensor);

/* Reads a tensor's worth of elements in row-major order; swap: their bytes are in the
 * order that this machine does not use. The size is checked against the reader before
 * anything is allocated. */
bool element_read(Reader *reader, Element element, bool swap, Shape shape, Tensor *out,
                  Err *err);

#endif
