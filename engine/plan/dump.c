#include <stdarg.h>
#include <stdio.h>
#include "base/mem.h"
#include "plan/internal.h"

/* Text that grows; after a failed allocation it stays as it is and `failed` is set. */
typedef struct Text {
    char *bytes;
    size_t used, room;
    bool failed;
} Text;

static void append(Text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append(Text *text, const char *format, ...) {
    for (;;) {
        va_list arguments;
        va_start(arguments, format);
        size_t left = text->room - text->used;
        int n = vsnprintf(text->bytes ? text->bytes + text->used : NULL, left, format,
                          arguments);
        va_end(arguments);
        if (text->failed || n < 0) return;
        if ((size_t)n < left) {
            text->used += (size_t)n;
            return;
        }
        size_t room = 2 * text->room + (size_t)n + 256;
        char *bytes = mem_grow(text->bytes, room);
        text->failed = !bytes;
        if (text->failed) return;
        text->bytes = bytes;
        text->room = room;
    }
}

static void append_block(Text *text, const Plan *plan, int32_t number) {
    const Block *block = &plan->blocks[number];
    switch (block->place) {
    case PLACE_SCRATCH:
        append(text, "scratch+%zu", block->offset);
        break;
    case PLACE_OWN:
        append(text, "own+%zu", block->offset);
        break;
    case PLACE_VARIABLE:
        append(text, "'%s'", plan->variables[block->number]->path);
        break;
    case PLACE_CONSTANT:
        append(text, "constant %d", block->number);
        break;
    case PLACE_PORT:
        append(text, "input %d", block->number);
        break;
    }
}

static void append_operands(Text *text, const Plan *plan, int32_t slot, int n) {
    for (int k = 0; k < n; k++) {
        const Operand *operand = &plan->slots[slot + k];
        char shape[SHAPE_TEXT];
        append(text, "%s%s%s ", k ? ", " : "", dtype_name(operand->dtype),
               shape_text(&operand->shape, shape));
        append_block(text, plan, plan->slot_block[slot + k]);
    }
}

static void append_step(Text *text, const Plan *plan, int32_t s) {
    const Step *step = &plan->steps[s];
    append(text, "%4d  ", s);
    append_operands(text, plan, step->slot + step->call.n_in, step->call.n_out);
    append(text, " = %s(", step->name);
    append_operands(text, plan, step->slot, step->call.n_in);
    append(text, ")");
    if (step->scratch != NO_BLOCK) {
        append(text, " using ");
        append_block(text, plan, step->scratch);
    }
    for (int32_t p = 0; p < plan->n_phases; p++) {
        const Phase *phase = &plan->phases[p];
        if (phase->step != s) continue;
        const char *mark = phase->flags ? "| " : p > 0 && phase[-1].chain > 1 ? "+ " : "";
        append(text, "  %s%lld part%s", mark, (long long)phase->parts,
               phase->parts == 1 ? "" : "s");
    }
    if (step->path[0] || step->where[0])
        append(text, "  # %s  %s", step->path, step->where);
    append(text, "\n");
}

char *plan_dump(const Plan *plan) {
    Text text = {0};
    append(&text,
           "plan: %d steps from %d nodes, %d chained, %d barriers, scratch %zu bytes (at "
           "least %zu), "
           "outputs %zu bytes\n",
           plan->n_steps, plan->n_nodes, plan->chained, plan->barriers,
           plan->scratch_bytes, plan->lower_bound, plan->own_bytes);
    for (int32_t s = 0; s < plan->n_steps; s++) append_step(&text, plan, s);
    for (int k = 0; k < plan->n_out; k++) {
        append(&text, "output %d: ", k);
        append_block(&text, plan, plan->output_block[k]);
        append(&text, "\n");
    }
    if (!text.failed) return text.bytes;
    mem_free(text.bytes);
    return NULL;
}
