/* One number from one element type to another, as the whole engine converts: integers
 * wrap, floats are cut towards zero and stop at the integer type's ends, NaN becomes 0,
 * and everything but 0 is true. C leaves the out-of-range cases open; these are the same
 * on every machine. */
#ifndef CDL_TENSOR_CONVERT_H
#define CDL_TENSOR_CONVERT_H
#include <stdint.h>

static inline uint8_t convert_real_uint8(double v) {
    return v > 0 ? v < UINT8_MAX ? (uint8_t)v : UINT8_MAX : 0; /* NaN > 0 is false */
}
static inline int32_t convert_real_int32(double v) {
    if (v != v) return 0;
    return v > INT32_MIN ? v < INT32_MAX ? (int32_t)v : INT32_MAX : INT32_MIN;
}
static inline int64_t convert_real_int64(double v) {
    if (v != v) return 0;
    return v >= -0x1p63 ? v < 0x1p63 ? (int64_t)v : INT64_MAX : INT64_MIN;
}

/* CONVERT(kind of the source: REAL or WHOLE, id of the target, value) */
#define CONVERT(kind, id, v)     CONVERT_##kind##_##id(v)
#define CONVERT_REAL_BOOL(v)     ((uint8_t)((v) != 0))
#define CONVERT_REAL_UINT8(v)    convert_real_uint8(v)
#define CONVERT_REAL_INT32(v)    convert_real_int32(v)
#define CONVERT_REAL_INT64(v)    convert_real_int64(v)
#define CONVERT_REAL_FLOAT32(v)  ((float)(v))
#define CONVERT_REAL_FLOAT64(v)  ((double)(v))
#define CONVERT_WHOLE_BOOL(v)    ((uint8_t)((v) != 0))
#define CONVERT_WHOLE_UINT8(v)   ((uint8_t)(v))
#define CONVERT_WHOLE_INT32(v)   ((int32_t)(v))
#define CONVERT_WHOLE_INT64(v)   ((int64_t)(v))
#define CONVERT_WHOLE_FLOAT32(v) ((float)(v))
#define CONVERT_WHOLE_FLOAT64(v) ((double)(v))

#endif
