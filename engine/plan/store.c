/* New values written straight into their variables.
 *
 * A plan first ends with one copy per store. Here a copy is dropped, and the step that
 * computes the value writes to the variable instead, when
 *   - no step reads the old value after that step, and that step at most element by
 * element;
 *   - no step after it can fail, nor can it: a failed run must leave the variable as it
 * was. */
#include "plan/internal.h"

/* For each variable's block, the last step that reads the old value. */
static void find_last_reads(const Plan *plan, int32_t last_read[]) {
    for (int32_t k = 0; k < plan->n_blocks; k++) last_read[k] = NO_STEP;
    for (int32_t s = 0; s < plan->n_steps; s++) {
        const Step *step = &plan->steps[s];
        for (int k = 0; k < step->call.n_in; k++) {
            int32_t read = plan->slot_block[step->slot + k];
            const Block *from = &plan->blocks[read];
            last_read[read] = s;
            if (from->place != PLACE_CONSTANT || step->kernel != &plan_strided_kernel)
                continue;
            /* A captured view of a variable's memory. */
            for (int32_t other = 0; other < plan->n_blocks; other++)
                if (plan->blocks[other].place == PLACE_VARIABLE &&
                    plan->variables[plan->blocks[other].number]->value.buffer ==
                        plan->constants[from->number].buffer)
                    last_read[other] = s;
        }
    }
}

static int output_of(const Plan *plan, const Step *step, int32_t block) {
    int k = 0;
    while (plan->slot_block[step->slot + step->call.n_in + k] != block) k++;
    return k;
}

static bool can_write_in_place(const Plan *plan, int32_t value, int32_t variable,
                               int32_t last_read, int32_t last_fault) {
    const Block *block = &plan->blocks[value];
    if (block->place != PLACE_SCRATCH || block->into != value) return false;
    if (block->first == NO_STEP || block->first <= last_fault) return false;
    if (last_read > block->first) return false;
    const Step *step = &plan->steps[block->first];
    return last_read < block->first ||
           step_may_overwrite(plan, step, output_of(plan, step, value), variable);
}

bool plan_store_in_place(Plan *plan, Err *err) {
    Arena arena = {0};
    int32_t *last_read =
        arena_alloc(&arena, ((size_t)plan->n_blocks + 1) * sizeof *last_read);
    if (!last_read) return plan_no_memory(err);
    find_last_reads(plan, last_read);
    int32_t last_fault = plan->n_faults ? plan->fault_step[plan->n_faults - 1] : NO_STEP;
    int32_t kept = 0;
    for (int32_t s = 0; s < plan->n_steps; s++) {
        const Step *step = &plan->steps[s];
        int32_t value = plan->slot_block[step->slot],
                to = plan->slot_block[step->slot + 1];
        if (step->commit &&
            can_write_in_place(plan, value, to, last_read[to], last_fault))
            plan->blocks[value].into = to;
        else
            plan->steps[kept++] = *step;
    }
    plan->n_steps = kept;
    arena_free(&arena);
    plan_join(plan);
    plan_lifetimes(plan);
    return true;
}
