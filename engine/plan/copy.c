#include <string.h>
#include "base/pool.h"
#include "plan/internal.h"

static int64_t chunk_parts(const Call *call) {
    return chunks(call->out[0].size, KERNEL_CHUNK);
}

static void chunk_range(const Call *call, int64_t part, int64_t *first, int64_t *last) {
    *first = part * KERNEL_CHUNK;
    *last = *first + KERNEL_CHUNK;
    if (*last > call->out[0].size) *last = call->out[0].size;
}

static void copy_run(const Call *call, int64_t part) {
    int64_t first, last;
    chunk_range(call, part, &first, &last);
    if (last <= first) return;
    size_t element = dtype_size(call->out[0].dtype), at = (size_t)first * element;
    memcpy((char *)call->out[0].data + at, (const char *)call->in[0].data + at,
           (size_t)(last - first) * element);
}

const Kernel plan_copy_kernel = {
    .flags = KERNEL_ELEMENTWISE,
    .phase = {{chunk_parts, copy_run}},
};

/* n elements of one row, `stride` elements apart. */
static void row_copy(char *to, const char *from, int64_t n, int64_t stride,
                     size_t element) {
    if (stride == 1) {
        memcpy(to, from, (size_t)n * element);
        return;
    }
    int64_t step = stride * (int64_t)element;
    for (int64_t i = 0; i < n; i++, to += element, from += step)
        memcpy(to, from, element);
}

static void strided_run(const Call *call, int64_t part) {
    const Shape *shape = &call->in[0].shape;
    size_t element = dtype_size(call->out[0].dtype);
    int64_t at, last, index[SHAPE_MAX] = {0}, inner = shape->ndim - 1;
    chunk_range(call, part, &at, &last);
    if (last <= at) return;
    if (inner < 0) {
        memcpy(call->out[0].data, call->in[0].data, element);
        return;
    }
    int64_t rest = at;
    for (int axis = shape->ndim - 1; axis >= 0; axis--) {
        index[axis] = rest % shape->dim[axis];
        rest /= shape->dim[axis];
    }
    while (at < last) {
        int64_t offset = 0, n = shape->dim[inner] - index[inner];
        if (n > last - at) n = last - at;
        for (int axis = 0; axis < shape->ndim; axis++)
            offset += index[axis] * call->note[axis];
        row_copy((char *)call->out[0].data + (size_t)at * element,
                 (const char *)call->in[0].data + offset * (int64_t)element, n,
                 call->note[inner], element);
        at += n;
        index[inner] = 0;
        for (int axis = (int)inner - 1; axis >= 0; axis--) {
            if (++index[axis] < shape->dim[axis]) break;
            index[axis] = 0;
        }
    }
}

const Kernel plan_strided_kernel = {.phase = {{chunk_parts, strided_run}}};

/* Rows of 4 and 8 bytes (labels and the like) are copied without a call for each. */
/* Rows lie anywhere, so the CPU does not see the next one coming: each line of a row asks for
 * the same line of the next. */
enum { LINE = 64, LONG_ROW = 1 << 14 };

static void copy_row(char *to, const char *from, const char *next, size_t bytes) {
    size_t at = 0;
    for (; at + LINE <= bytes; at += LINE) {
        __builtin_prefetch(next + at);
        memcpy(to + at, from + at, LINE);
    }
    memcpy(to + at, from + at, bytes - at);
}

static void gather_rows(const Port *port, char *to, int64_t begin, int64_t end) {
    const int64_t *rows = port->rows;
    size_t bytes = port->row_bytes;
    if (bytes == 4) {
        for (int64_t i = begin; i < end; i++)
            memcpy(to + i * 4, port->data + rows[i] * 4, 4);
    } else if (bytes == 8) {
        for (int64_t i = begin; i < end; i++)
            memcpy(to + i * 8, port->data + rows[i] * 8, 8);
    } else if (bytes < LONG_ROW) {
        for (int64_t i = begin; i < end; i++) {
            const char *from = port->data + (size_t)rows[i] * bytes;
            const int64_t next = rows[i + 1 < end ? i + 1 : i];
            copy_row(to + (size_t)i * bytes, from, port->data + (size_t)next * bytes,
                     bytes);
        }
    } else {
        for (int64_t i = begin; i < end; i++)
            memcpy(to + (size_t)i * bytes, port->data + (size_t)rows[i] * bytes, bytes);
    }
}

void port_copy(const Port *port, char *to, int thread, int threads) {
    long first, last;
    pool_share((long)chunks(port->n_rows, port->rows_per_part), thread, threads, &first,
               &last);
    int64_t begin = first * port->rows_per_part, end = last * port->rows_per_part;
    if (end > port->n_rows) end = port->n_rows;
    if (begin >= end) return;
    if (port->rows)
        gather_rows(port, to, begin, end);
    else
        memcpy(to + (size_t)begin * port->row_bytes,
               port->data + (size_t)begin * port->row_bytes,
               (size_t)(end - begin) * port->row_bytes);
}
