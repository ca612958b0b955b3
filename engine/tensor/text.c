/* Tensors as text, as NumPy prints them. The shown elements are walked three times: to
 * see what their form must be, to measure the widest, and to write them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "tensor/tensor.h"

enum { THRESHOLD = 1000, EDGE = 3, DECIMALS = 4, LINE = 80, ELEMENT_TEXT = 64 };

typedef enum Pass { PASS_FORM, PASS_MEASURE, PASS_WRITE } Pass;

typedef struct Printer {
    const Tensor *tensor;
    Pass pass;
    int edge; /* elements shown at each end of an axis; 0: all */

    /* What the finite elements are like, and the form that follows from it. */
    double largest, smallest; /* absolute; the smallest that is not 0 */
    bool integral;
    int fixed_decimals, exponent_decimals; /* that are not 0, at most DECIMALS */
    bool exponent;
    int width;

    char *text;
    size_t used, size;
    size_t line_start;
    bool no_memory;
} Printer;

static void put(Printer *p, const char *piece) {
    if (p->pass != PASS_WRITE || p->no_memory) return;
    size_t length = strlen(piece);
    if (p->used + length + 1 > p->size) {
        size_t size = 2 * (p->used + length) + 256;
        char *larger = mem_grow(p->text, size);
        p->no_memory = !larger;
        if (!larger) return;
        p->text = larger;
        p->size = size;
    }
    memcpy(p->text + p->used, piece, length + 1);
    p->used += length;
}

static void new_line(Printer *p, int lines, int indent) {
    for (int i = 0; i < lines; i++) put(p, "\n");
    p->line_start = p->used;
    for (int i = 0; i < indent; i++) put(p, " ");
}

/* The decimals of %.4f or %.4e text that are not trailing zeros. */
static int needed_decimals(const char *text) {
    const char *point = strchr(text, '.');
    int needed = 0;
    for (int i = 1; point && i <= DECIMALS; i++)
        if (point[i] != '0') needed = i;
    return needed;
}

static void look_at(Printer *p, double value) {
    if (!isfinite(value)) return;
    char text[ELEMENT_TEXT + 320];
    double size = fabs(value);
    if (size > p->largest) p->largest = size;
    if (size > 0 && size < p->smallest) p->smallest = size;
    if (value != floor(value)) p->integral = false;
    if (size < 1e8) {
        snprintf(text, sizeof text, "%.*f", DECIMALS, value);
        int fixed = needed_decimals(text);
        if (fixed > p->fixed_decimals) p->fixed_decimals = fixed;
    }
    snprintf(text, sizeof text, "%.*e", DECIMALS, value);
    int exponent = needed_decimals(text);
    if (exponent > p->exponent_decimals) p->exponent_decimals = exponent;
}

/* An exponent where fixed decimals would be very long or lose the small ones (NumPy's
 * rule). */
static void choose_form(Printer *p) {
    bool wide = p->largest >= 1e8;
    bool fine = !p->integral && (p->smallest < 1e-4 || p->largest / p->smallest > 1000);
    p->exponent = wide || fine;
}

static void write_element(const Printer *p, const int64_t index[], char *text) {
    const Tensor *t = p->tensor;
    if (t->dtype == DTYPE_BOOL) {
        strcpy(text, tensor_load_int(t, index) ? "true" : "false");
    } else if (!dtype_is_float(t->dtype)) {
        snprintf(text, ELEMENT_TEXT, "%" PRId64, tensor_load_int(t, index));
    } else {
        double value = tensor_load(t, index);
        if (isnan(value))
            strcpy(text, "nan");
        else if (p->exponent && isfinite(value))
            snprintf(text, ELEMENT_TEXT, "%.*e", p->exponent_decimals, value);
        else
            snprintf(text, ELEMENT_TEXT, "%.*f", p->fixed_decimals, value);
    }
}

static void visit_element(Printer *p, const int64_t index[]) {
    if (p->pass == PASS_FORM) {
        if (dtype_is_float(p->tensor->dtype)) look_at(p, tensor_load(p->tensor, index));
        return;
    }
    char text[ELEMENT_TEXT], padded[2 * ELEMENT_TEXT];
    write_element(p, index, text);
    if (p->pass == PASS_MEASURE && (int)strlen(text) > p->width)
        p->width = (int)strlen(text);
    snprintf(padded, sizeof padded, "%*s", p->width, text);
    put(p, padded);
}

/* Between two things along an axis: a comma, and a new line (or more between matrices, as
 * many as axes are inside) unless they are elements of a row with room for the next. */
static void separate(Printer *p, int axis) {
    int inside = p->tensor->shape.ndim - 1 - axis;
    put(p, ",");
    if (inside > 0) {
        new_line(p, inside, axis + 1);
    } else if (p->used - p->line_start + (size_t)p->width + 3 > LINE) {
        new_line(p, 1, axis + 1);
    } else {
        put(p, " ");
    }
}

static void visit_axis(Printer *p, int axis, int64_t index[]) {
    const Shape *shape = &p->tensor->shape;
    if (axis == shape->ndim) {
        visit_element(p, index);
        return;
    }
    int64_t size = shape->dim[axis];
    bool cut = p->edge > 0 && size > 2 * p->edge;
    put(p, "[");
    for (int64_t i = 0; i < size; i++) {
        if (i > 0) separate(p, axis);
        if (cut && i == p->edge) {
            put(p, "...");
            i = size - p->edge;
            separate(p, axis);
        }
        index[axis] = i;
        visit_axis(p, axis + 1, index);
    }
    put(p, "]");
}

/* The largest edge with which about THRESHOLD elements are shown; 0 shows all. */
static int choose_edge(const Tensor *t) {
    if (tensor_size(t) <= THRESHOLD) return 0;
    for (int edge = EDGE; edge > 1; edge--) {
        int64_t shown = 1;
        for (int axis = 0; axis < t->shape.ndim; axis++) {
            int64_t size = t->shape.dim[axis];
            shown *= size > 2 * edge ? 2 * edge : size;
        }
        if (shown <= THRESHOLD) return edge;
    }
    return 1;
}

char *tensor_text(const Tensor *t) {
    Printer p = {.tensor = t, .smallest = INFINITY, .integral = true};
    int64_t index[SHAPE_MAX] = {0};
    p.edge = choose_edge(t);
    char shape[SHAPE_TEXT], head[SHAPE_TEXT + 32];
    snprintf(head, sizeof head, "tensor %s %s", dtype_name(t->dtype),
             shape_text(&t->shape, shape));
    bool empty = tensor_size(t) == 0;
    if (!empty) visit_axis(&p, 0, index);
    choose_form(&p);
    p.pass = PASS_MEASURE;
    if (!empty) visit_axis(&p, 0, index);
    p.pass = PASS_WRITE;
    put(&p, head);
    new_line(&p, 1, 0);
    if (empty)
        put(&p, "[]");
    else
        visit_axis(&p, 0, index);
    if (p.no_memory) {
        mem_free(p.text);
        return NULL;
    }
    return p.text;
}
