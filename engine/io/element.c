#include "io/element.h"
#include <byteswap.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include "base/mem.h"

static const struct {
    char kind;
    unsigned char bytes;
    DType dtype;
} elements[ELEMENT_COUNT] = {
#define X(id, kind, bytes, dtype) [ELEMENT_##id] = {kind, bytes, DTYPE_##dtype},
    ELEMENTS(X)
#undef X
};

size_t element_size(Element element) { return elements[element].bytes; }
char element_kind(Element element) { return elements[element].kind; }

bool element_find(char kind, int64_t bytes, Element *out) {
    for (int e = 0; e < ELEMENT_COUNT; e++) {
        if (elements[e].kind != kind || elements[e].bytes != bytes) continue;
        *out = (Element)e;
        return true;
    }
    return false;
}

Element element_of(DType dtype) {
    switch (dtype) {
    case DTYPE_BOOL:
        return ELEMENT_BOOL;
    case DTYPE_UINT8:
        return ELEMENT_UINT8;
    case DTYPE_INT32:
        return ELEMENT_INT32;
    case DTYPE_INT64:
        return ELEMENT_INT64;
    case DTYPE_FLOAT64:
        return ELEMENT_FLOAT64;
    default:
        return ELEMENT_FLOAT32;
    }
}

static void swap_bytes(void *data, size_t size, int64_t count) {
    if (size == 2)
        for (uint16_t *at = data, *end = at + count; at < end; at++) *at = bswap_16(*at);
    if (size == 4)
        for (uint32_t *at = data, *end = at + count; at < end; at++) *at = bswap_32(*at);
    if (size == 8)
        for (uint64_t *at = data, *end = at + count; at < end; at++) *at = bswap_64(*at);
}

void element_swap(const Tensor *tensor) {
    swap_bytes(tensor->data, dtype_size(tensor->dtype), tensor_size(tensor));
}

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15) and 10 fraction bits. */
static float half_value(uint16_t bits) {
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    float magnitude = exponent == 31  ? (fraction ? NAN : INFINITY)
                      : exponent == 0 ? ldexpf((float)fraction, -24)
                                      : ldexpf((float)(fraction + 1024), exponent - 25);
    return bits >> 15 ? -magnitude : magnitude;
}

/* bfloat16 is the upper half of a float32. */
static float bfloat_value(uint16_t bits) {
    uint32_t whole = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &whole, sizeof value);
    return value;
}

/* Elements that are narrower in the file than in memory. */
static void widen(Element element, const void *from, void *to, size_t count) {
    switch (element) {
#define CASE(id, from_type, to_type, value)                                              \
    case ELEMENT_##id:                                                                   \
        for (size_t i = 0; i < count; i++) {                                             \
            from_type x = ((const from_type *)from)[i];                                  \
            ((to_type *)to)[i] = value;                                                  \
        }                                                                                \
        break;
        CASE(INT8, int8_t, int32_t, x)
        CASE(INT16, int16_t, int32_t, x)
        CASE(UINT16, uint16_t, int32_t, x)
        CASE(UINT32, uint32_t, int64_t, x)
        CASE(FLOAT16, uint16_t, float, half_value(x))
        CASE(BFLOAT16, uint16_t, float, bfloat_value(x))
#undef CASE
    default:
        break;
    }
}

static bool read_widened(Reader *reader, Element element, bool swap, Tensor *to,
                         Err *err) {
    enum { PIECE = 8192 };
    _Alignas(8) unsigned char raw[PIECE * 4];
    size_t left = (size_t)tensor_size(to), wide = dtype_size(to->dtype);
    char *at = to->data;
    while (left) {
        size_t count = left < PIECE ? left : PIECE;
        if (!reader_take(reader, raw, count * element_size(element), err)) return false;
        if (swap) swap_bytes(raw, element_size(element), (int64_t)count);
        widen(element, raw, at, count);
        at += count * wide, left -= count;
    }
    return true;
}

/* Elements of the same size in the file and in memory, but not of the same values. */
static bool check_values(const Reader *reader, Element element, Tensor *tensor,
                         Err *err) {
    int64_t count = tensor_size(tensor);
    if (element == ELEMENT_BOOL) {
        uint8_t *value = (uint8_t *)tensor->data;
        for (int64_t i = 0; i < count; i++) value[i] = value[i] != 0;
    }
    if (element == ELEMENT_UINT64) {
        const int64_t *value = (const int64_t *)tensor->data;
        for (int64_t i = 0; i < count; i++)
            if (value[i] < 0)
                return err_set(
                    err, "%s: element %" PRId64 " is %" PRIu64 ", too large for int64",
                    reader->name, i + 1, (uint64_t)value[i]);
    }
    return true;
}

bool element_bytes(Element element, const Shape *shape, size_t *bytes) {
    size_t all = element_size(element);
    bool fits = true, empty = false;
    for (int k = 0; k < shape->ndim; k++) empty |= shape->dim[k] == 0;
    for (int k = 0; k < shape->ndim && !empty; k++)
        fits = fits && mem_product(all, (size_t)shape->dim[k], &all);
    if (fits) *bytes = empty ? 0 : all;
    return fits;
}

/* An error when the bytes cannot be there. */
static bool check_size(const Reader *reader, Element element, const Shape *shape,
                       Err *err) {
    char text[SHAPE_TEXT];
    size_t bytes;
    if (element_bytes(element, shape, &bytes) && bytes <= reader->most) return true;
    return err_set(err,
                   "%s: ends too early: its shape is given as %s, but at most %" PRIu64
                   " bytes follow",
                   reader->name, shape_text(shape, text), reader->most);
}

bool element_read(Reader *reader, Element element, bool swap, Shape shape, Tensor *out,
                  Err *err) {
    DType dtype = elements[element].dtype;
    Err inner = {0};
    Tensor tensor = {0};
    if (!check_size(reader, element, &shape, err)) return false;
    if (!tensor_new(&tensor, dtype, shape, &inner))
        return err_set(err, "%s: %s", reader->name, inner.text);
    bool ok;
    if (element_size(element) != dtype_size(dtype)) {
        ok = read_widened(reader, element, swap, &tensor, err);
    } else {
        ok = reader_take(reader, tensor.data, tensor_bytes(&tensor), err);
        if (ok && swap)
            swap_bytes(tensor.data, element_size(element), tensor_size(&tensor));
        ok = ok && check_values(reader, element, &tensor, err);
    }
    if (ok)
        *out = tensor;
    else
        tensor_release(&tensor);
    return ok;
}
