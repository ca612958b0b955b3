#include <stdarg.h>
#include <stdio.h>
#include "base/mem.h"
#include "graph/graph.h"

typedef struct Text {
    char *data;
    size_t length, room;
    bool failed;
} Text;

__attribute__((format(printf, 2, 3))) static void print(Text *text, const char *format,
                                                        ...) {
    for (int attempt = 0; attempt < 2 && !text->failed; attempt++) {
        va_list arguments;
        va_start(arguments, format);
        size_t left = text->room - text->length;
        int length = vsnprintf(text->data ? text->data + text->length : NULL, left,
                               format, arguments);
        va_end(arguments);
        if (length < 0) break;
        if ((size_t)length < left) {
            text->length += (size_t)length;
            return;
        }
        size_t room = 2 * text->room + (size_t)length + 256;
        char *data = mem_grow(text->data, room);
        if (!data) break;
        text->data = data;
        text->room = room;
    }
    text->failed = true;
}

/* The attributes up to the last that is not zero: "; i 1, 0, 2; f 0.5". */
static void print_attrs(Text *text, const Attrs *attrs) {
    int ints = ATTR_INTS, reals = ATTR_REALS;
    while (ints > 0 && attrs->i[ints - 1] == 0) ints--;
    while (reals > 0 && attrs->f[reals - 1] == 0) reals--;
    for (int k = 0; k < ints; k++)
        print(text, "%s %lld", k ? "," : "; i", (long long)attrs->i[k]);
    for (int k = 0; k < reals; k++) print(text, "%s %g", k ? "," : "; f", attrs->f[k]);
}

static void print_value(Text *text, const Node *node) {
    switch ((int)node->op) {
    case OP_LEAF_INPUT:
        print(text, "input %lld", (long long)node->attrs->i[0]);
        return;
    case OP_LEAF_VARIABLE:
        print(text, "variable %s", node->variable->path);
        return;
    case OP_LEAF_CONSTANT:
        if (node->number)
            print(text, "%.9g", node->attrs->f[0]);
        else
            print(text, "constant");
        return;
    case OP_OUTPUT:
        print(text, "output %lld of %%%d", (long long)node->attrs->i[0],
              (int)node->in[0]);
        return;
    }
    print(text, "%s(", op_name(node->op));
    for (int k = 0; k < node->n_in; k++)
        print(text, "%s%%%d", k ? ", " : "", (int)node->in[k]);
    print_attrs(text, node->attrs);
    print(text, ")");
}

char *graph_dump(const Graph *g) {
    Text text = {0};
    char shape[SHAPE_TEXT];
    print(&text, "%s", "");
    for (NodeId k = 0; k < g->count; k++) {
        const Node *node = &g->nodes[k];
        print(&text, "%%%d %s%s = ", (int)k, dtype_name(node->type.dtype),
              shape_text(&node->type.shape, shape));
        print_value(&text, node);
        if (*node->path || *node->where) print(&text, "  #");
        if (*node->path) print(&text, " %s", node->path);
        if (*node->where) print(&text, "  %s", node->where);
        print(&text, "\n");
    }
    if (!text.failed) return text.data;
    mem_free(text.data);
    return NULL;
}
