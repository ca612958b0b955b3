/* Steps become phases, with barriers only where threads must meet.
 *
 * Every thread walks all phases and takes its own run of the parts of each. Without a
 * barrier between them a phase may start while another thread is still in an earlier one;
 * that is fine when they touch different memory, or when what they share is written and
 * read by the same thread: both have one part (thread 0 runs it), or both are elementwise
 * over the same number of elements, where the parts that a thread takes cover the same
 * elements. Such neighbours are a chain. */
#include <string.h>
#include "graph/call_setup.h"
#include "plan/internal.h"

typedef enum Space { SPACE_SCRATCH, SPACE_ADDRESS } Space;

/* The memory that an operand of a step may touch. */
typedef struct Access {
    Space space;
    bool write, aligned; /* aligned: element by element, see step_aligned */
    size_t element;
    uintptr_t low, high;
} Access;

typedef struct StepAccess {
    const Access *access;
    int count;
    bool elementwise; /* in one phase */
    int64_t size;     /* elements of the first output */
} StepAccess;

/* A phase that other threads may still be in. */
typedef struct Running {
    int32_t step;
    int64_t parts;
} Running;

typedef struct Window {
    Running *single, *shared; /* of one part, and of several */
    int32_t n_single, n_shared;
} Window;

static void tensor_range(const Tensor *tensor, Access *access) {
    int64_t low = 0, high = 0, element = (int64_t)access->element;
    for (int axis = 0; axis < tensor->shape.ndim; axis++) {
        int64_t reach = (tensor->shape.dim[axis] - 1) * tensor->stride[axis];
        if (reach < 0)
            low += reach;
        else
            high += reach;
    }
    access->low = (uintptr_t)tensor->data + (uintptr_t)(low * element);
    access->high = (uintptr_t)tensor->data + (uintptr_t)((high + 1) * element);
}

/* False: there is nothing to meet about (an empty block, or memory that is only read). */
static bool block_range(const Plan *plan, int32_t number, Access *access) {
    const Block *block = &plan->blocks[number];
    if (block->bytes == 0) return false;
    access->space = SPACE_ADDRESS;
    if (block_in_scratch(plan, block)) {
        access->space = SPACE_SCRATCH;
        access->low = block->offset;
    } else if (block->place == PLACE_OWN) {
        access->low = (uintptr_t)(plan->own + block->offset);
    } else if (block->place == PLACE_VARIABLE) {
        access->low = (uintptr_t)plan->variables[block->number]->value.data;
    } else if (block->place == PLACE_CONSTANT) {
        tensor_range(&plan->constants[block->number], access);
        return true;
    } else {
        return false;
    }
    access->high = access->low + block->bytes;
    return true;
}

static int list_accesses(const Plan *plan, const Step *step, Access *out) {
    int n = 0, operands = step->call.n_in + step->call.n_out;
    for (int k = 0; k < operands; k++) {
        const Operand *operand = &plan->slots[step->slot + k];
        Access access = {.write = k >= step->call.n_in,
                         .aligned = step_aligned(step, k),
                         .element = dtype_size(operand->dtype)};
        if (block_range(plan, plan->slot_block[step->slot + k], &access))
            out[n++] = access;
    }
    Access access = {.write = true};
    if (step->scratch != NO_BLOCK && block_range(plan, step->scratch, &access))
        out[n++] = access;
    return n;
}

static bool in_lockstep(const StepAccess *a, int64_t a_parts, const StepAccess *b,
                        int64_t b_parts) {
    return a->elementwise && b->elementwise && a_parts == b_parts && a->size == b->size;
}

static bool conflict(const StepAccess *a, const StepAccess *b, bool lockstep) {
    for (int i = 0; i < a->count; i++) {
        for (int k = 0; k < b->count; k++) {
            const Access *x = &a->access[i], *y = &b->access[k];
            if ((!x->write && !y->write) || x->space != y->space) continue;
            if (x->high <= y->low || y->high <= x->low) continue;
            if (lockstep && x->aligned && y->aligned && x->low == y->low &&
                x->element == y->element)
                continue;
            return true;
        }
    }
    return false;
}

static bool must_meet(const Window *window, const StepAccess *accesses, int32_t step,
                      int64_t parts) {
    const StepAccess *own = &accesses[step];
    for (int32_t k = 0; k < window->n_shared; k++) {
        const Running *other = &window->shared[k];
        const StepAccess *its = &accesses[other->step];
        if (conflict(its, own, in_lockstep(its, other->parts, own, parts))) return true;
    }
    for (int32_t k = 0; parts > 1 && k < window->n_single; k++)
        if (conflict(&accesses[window->single[k].step], own, false)) return true;
    return false;
}

static bool writes_variable(const Plan *plan, const Step *step) {
    const int32_t *out = &plan->slot_block[step->slot + step->call.n_in];
    for (int k = 0; k < step->call.n_out; k++)
        if (plan->blocks[out[k]].place == PLACE_VARIABLE) return true;
    return false;
}

/* The phases of one step, appended. *checked: the run has looked for faults before. */
static void add_phases(Plan *plan, int32_t s, const StepAccess *accesses, Window *window,
                       bool *checked) {
    const Step *step = &plan->steps[s];
    int64_t before = 0; /* parts of the step's phase before; 0: this is the first */
    bool shared = false;
    for (int p = 0; p < call_phases(step->kernel); p++) {
        int64_t parts = call_parts(step->kernel, &step->call, p);
        int32_t flags = 0;
        if (!parts) continue;
        if (before ? parts > 1 || before > 1 : must_meet(window, accesses, s, parts))
            flags = PHASE_BARRIER;
        if (plan->n_faults && !*checked && writes_variable(plan, step)) {
            flags = PHASE_BARRIER | PHASE_CHECK;
            *checked = true;
        }
        if (flags) {
            window->n_single = window->n_shared = 0;
            plan->barriers++;
        }
        Running running = {s, parts};
        if (parts > 1)
            window->shared[window->n_shared++] = running;
        else
            window->single[window->n_single++] = running;
        plan->phases[plan->n_phases++] =
            (Phase){step->kernel->phase[p].run, &step->call, parts, flags, s, 1};
        before = parts;
        shared = shared || parts > 1;
    }
    if (shared) plan->parallel_cost += step->cost;
}

/* Elementwise neighbours without a barrier between them run block by block: what one writes,
 * the next one reads while it is in the cache. The elements that they share are those of one
 * part, or else there were a barrier. */
static void find_chains(Plan *plan, const StepAccess *accesses) {
    for (int32_t p = plan->n_phases - 2; p >= 0; p--) {
        Phase *phase = &plan->phases[p], *next = phase + 1;
        const StepAccess *own = &accesses[phase->step], *its = &accesses[next->step];
        if (phase->parts > 1 && !next->flags &&
            in_lockstep(own, phase->parts, its, next->parts)) {
            phase->chain = next->chain + 1;
            plan->chained++;
        }
    }
}

bool plan_schedule(Plan *plan, Err *err) {
    Arena arena = {0};
    size_t steps = (size_t)plan->n_steps + 1;
    Access *access =
        arena_alloc(&arena, ((size_t)plan->n_slots + steps) * sizeof *access);
    StepAccess *accesses = arena_alloc(&arena, steps * sizeof *accesses);
    Window window = {
        .single = arena_alloc(&arena, steps * KERNEL_PHASES * sizeof *window.single),
        .shared = arena_alloc(&arena, steps * KERNEL_PHASES * sizeof *window.shared)};
    if (!access || !accesses || !window.single || !window.shared) {
        arena_free(&arena);
        return plan_no_memory(err);
    }
    for (int32_t s = 0; s < plan->n_steps; s++) {
        const Step *step = &plan->steps[s];
        bool elementwise =
            step->kernel->flags & KERNEL_ELEMENTWISE && call_phases(step->kernel) == 1;
        accesses[s] = (StepAccess){access, list_accesses(plan, step, access), elementwise,
                                   step->call.out[0].size};
        access += accesses[s].count;
    }
    plan->n_phases = plan->barriers = plan->chained = 0;
    plan->parallel_cost = 0;
    bool checked = false;
    for (int32_t s = 0; s < plan->n_steps; s++)
        add_phases(plan, s, accesses, &window, &checked);
    find_chains(plan, accesses);
    plan->placed = true;
    plan->generation = 0;
    arena_free(&arena);
    return true;
}
