/* Addresses, ports, and the walk over the phases. */
#include <assert.h>
#include <stdatomic.h>
#include <string.h>
#include "base/clock.h"
#include "base/pool.h"
#include "plan/internal.h"

/* Meeting in the pool, in nanoseconds. */
#define BARRIER_COST 400.0

/* A part of a port's copy is about so many bytes. */
enum { PART_BYTES = 32768 };

#ifdef CDL_DEBUG
static bool poison = true;
#else
static bool poison;
#endif

static bool share_all;

void plan_set_poison(bool on) { poison = on; }

void plan_set_share_all(bool on) { share_all = on; }

/* ---- addresses ---- */

static void *block_address(const Plan *plan, int32_t number) {
    const Block *block = &plan->blocks[number];
    switch (block->place) {
    case PLACE_SCRATCH:
        return scratch_base() + block->offset;
    case PLACE_OWN:
        return plan->own + block->offset;
    case PLACE_VARIABLE:
        return plan->variables[block->number]->value.data;
    case PLACE_CONSTANT:
        return plan->constants[block->number].data;
    case PLACE_PORT:
        break;
    }
    const Port *port = &plan->ports[block->number];
    if (port->copied) return scratch_base() + block->offset;
    return (void *)(uintptr_t)port->data; /* kernels only read it */
}

static void resolve(Plan *plan) {
    for (int32_t s = 0; s < plan->n_steps; s++) {
        Step *step = &plan->steps[s];
        for (int k = 0; k < step->call.n_in + step->call.n_out; k++)
            plan->slots[step->slot + k].data =
                block_address(plan, plan->slot_block[step->slot + k]);
        step->call.scratch =
            step->scratch == NO_BLOCK ? NULL : block_address(plan, step->scratch);
    }
    plan->generation = scratch_generation();
}

/* Brings placement, scratch arena and addresses up to date. */
static bool prepare(Plan *plan, Err *err) {
    if (plan->unbound > 0) {
        int p = 0;
        while (plan->ports[p].bound || plan->ports[p].block == NO_BLOCK) p++;
        return err_set(err, "input %d of the plan is not bound", p);
    }
    if (!plan->placed && (!plan_place(plan, err) || !plan_schedule(plan, err)))
        return false;
    if (!scratch_reserve(plan->scratch_bytes, err)) return false;
    if (plan->generation != scratch_generation()) resolve(plan);
    return true;
}

/* ---- ports ---- */

static void set_slots(Plan *plan, const Port *port) {
    void *data = block_address(plan, port->block);
    const int32_t *slot = plan->port_slots + port->first_slot;
    for (int32_t k = 0; k < port->n_slots; k++) plan->slots[slot[k]].data = data;
}

static double port_cost(const Plan *plan, const Port *port) {
    return (double)plan->blocks[port->block].bytes / 5;
}

static Port *bind(Plan *plan, int number) {
    assert(number >= 0 && number < plan->n_ports);
    Port *port = &plan->ports[number];
    if (port->block == NO_BLOCK) return NULL;
    plan->unbound -= !port->bound;
    port->bound = true;
    return port;
}

/* From now on the port is copied into its block before the first step. */
static void start_copying(Plan *plan, Port *port) {
    port->copied = true;
    plan->n_copied++;
    plan->port_cost += port_cost(plan, port);
    size_t bytes = plan->blocks[port->block].bytes;
    port->n_rows = port->type.shape.ndim ? port->type.shape.dim[0] : 1;
    port->row_bytes = port->n_rows > 0 ? bytes / (size_t)port->n_rows : 0;
    port->rows_per_part = 1 + PART_BYTES / (int64_t)(port->row_bytes + 1);
    if (!port->has_room) { /* the port's block joins those in scratch at the next run */
        port->has_room = true;
        plan->placed = false;
    } else if (plan->placed && plan->generation == scratch_generation()) {
        set_slots(plan, port);
    }
}

/* Is this memory part of a variable that the run changes? */
static bool will_change(const Plan *plan, const char *data, size_t bytes) {
    for (int k = 0; k < plan->n_stored; k++) {
        const Tensor *value = &plan->variables[k]->value;
        if (data < value->data + tensor_bytes(value) && value->data < data + bytes)
            return true;
    }
    return false;
}

void plan_bind(Plan *plan, int number, const void *data) {
    Port *port = bind(plan, number);
    if (!port) return;
    port->data = data;
    port->rows = NULL;
    if (will_change(plan, data, plan->blocks[port->block].bytes)) {
        if (!port->copied) start_copying(plan, port);
        return;
    }
    if (port->copied) {
        plan->n_copied--;
        plan->port_cost -= port_cost(plan, port);
    }
    port->copied = false;
    set_slots(plan, port);
}

void plan_bind_rows(Plan *plan, int number, const void *base, const int64_t *rows) {
    Port *port = bind(plan, number);
    if (!port) return;
    port->data = base;
    port->rows = rows;
    if (!port->copied) start_copying(plan, port);
}

/* ---- faults ---- */

static bool has_failed(const Plan *plan) {
    for (int32_t k = 0; k < plan->n_faults; k++)
        if (atomic_load_explicit(&plan->faults[k].set, memory_order_acquire)) return true;
    return false;
}

/* The first step that failed is to blame; what came after it computed with its zeros. */
static bool report_fault(Plan *plan, Err *err) {
    const Step *blamed = NULL;
    for (int32_t k = 0; k < plan->n_faults; k++) {
        Fault *fault = &plan->faults[k];
        if (!atomic_load(&fault->set)) continue;
        if (!blamed) {
            blamed = &plan->steps[plan->fault_step[k]];
            if (blamed->path[0])
                err_set_at(err, blamed->where, "%s: %s (in %s)", blamed->name,
                           fault->text, blamed->path);
            else
                err_set_at(err, blamed->where, "%s: %s", blamed->name, fault->text);
        }
        atomic_store(&fault->set, 0);
    }
    return false;
}

/* ---- the walk ---- */

static void copy_ports(const Plan *plan, int thread, int threads) {
    for (int p = 0; p < plan->n_ports; p++) {
        const Port *port = &plan->ports[p];
        if (port->copied)
            port_copy(port, block_address(plan, port->block), thread, threads);
    }
}

static void run_chain(const Phase *phase, int64_t first, int64_t last) {
    for (int64_t part = first; part < last; part++)
        for (int32_t k = 0; k < phase->chain; k++) phase[k].run(phase[k].call, part);
}

static void walk(void *context, int thread, int threads) {
    const Plan *plan = context;
    if (plan->n_copied) {
        copy_ports(plan, thread, threads);
        pool_barrier();
    }
    const Phase *end = plan->phases + plan->n_phases;
    for (const Phase *phase = plan->phases; phase < end; phase += phase->chain) {
        if (phase->flags) {
            pool_barrier();
            if (phase->flags & PHASE_CHECK && has_failed(plan)) return;
        }
        if (phase->parts == 1) {
            if (thread == 0) phase->run(phase->call, 0);
            continue;
        }
        long first, last;
        pool_share((long)phase->parts, thread, threads, &first, &last);
        run_chain(phase, first, last);
    }
}

static void walk_alone(void *context, int thread, int threads) {
    const Plan *plan = context;
    if (plan->n_copied) copy_ports(plan, 0, 1);
    const Phase *end = plan->phases + plan->n_phases;
    for (const Phase *phase = plan->phases; phase < end; phase += phase->chain) {
        if (phase->flags & PHASE_CHECK && has_failed(plan)) return;
        run_chain(phase, 0, phase->parts);
    }
}

/* run_chain with the time of each phase, from `now` to what is returned. In the spans the
 * phases of a chain stand one after the other, each as long as all its parts took. */
static double time_chain(const Phase *phase, int64_t first, int64_t last, double now,
                         ProfileSpan *span) {
    double begin = now;
    for (int32_t k = 0; k < phase->chain; k++) span[k].end = 0;
    for (int64_t part = first; part < last; part++) {
        for (int32_t k = 0; k < phase->chain; k++) {
            double before = now;
            phase[k].run(phase[k].call, part);
            now = clock_now();
            span[k].end += now - before;
        }
    }
    for (int32_t k = 0; k < phase->chain; k++) {
        span[k].begin = begin;
        span[k].end = begin += span[k].end;
    }
    return now;
}

/* walk with the time of each phase; also for one thread. */
static void walk_timed(void *context, int thread, int threads) {
    const Plan *plan = context;
    PlanProfile *profile = plan->profile;
    ProfileSpan *span = profile->now + (size_t)thread * (size_t)plan->n_phases;
    double now = clock_now();
    if (plan->n_copied) {
        copy_ports(plan, thread, threads);
        double before = now;
        now = clock_now();
        if (thread == 0) profile->copying += now - before;
        pool_barrier();
    }
    for (int32_t p = 0; p < plan->n_phases; p += plan->phases[p].chain) {
        const Phase *phase = &plan->phases[p];
        if (phase->flags) {
            pool_barrier();
            now = clock_now();
            if (phase->flags & PHASE_CHECK && has_failed(plan)) return;
        }
        long first = 0, last = 1;
        if (phase->parts > 1)
            pool_share((long)phase->parts, thread, threads, &first, &last);
        else if (thread > 0)
            continue;
        now = time_chain(phase, first, last, now, span + p);
    }
}

static void run_timed(Plan *plan, bool share) {
    profile_begin(plan->profile);
    if (share)
        pool_run(walk_timed, plan);
    else
        pool_run1(walk_timed, plan);
    profile_end(plan);
}

static bool dies(const Plan *plan, int32_t number, int32_t step) {
    const Block *block = &plan->blocks[number];
    return block->into == number && block->last == step && block->first != NO_STEP &&
           block->place == PLACE_SCRATCH;
}

/* walk_alone with scratch full of NaN, and full of it again where a block has died. */
static void walk_poisoned(void *context, int thread, int threads) {
    const Plan *plan = context;
    if (plan->scratch_bytes) memset(scratch_base(), 0xFF, plan->scratch_bytes);
    if (plan->n_copied) copy_ports(plan, 0, 1);
    for (int32_t p = 0; p < plan->n_phases; p++) {
        const Phase *phase = &plan->phases[p];
        if (phase->flags & PHASE_CHECK && has_failed(plan)) return;
        for (int64_t part = 0; part < phase->parts; part++) phase->run(phase->call, part);
        if (p + 1 < plan->n_phases && phase[1].step == phase->step) continue;
        for (int32_t k = 0; k < plan->n_blocks; k++)
            if (dies(plan, k, phase->step))
                memset(block_address(plan, k), 0xFF, plan->blocks[k].bytes);
    }
}

static bool is_worth_sharing(const Plan *plan) {
    int threads = pool_threads();
    double cost = plan->parallel_cost + plan->port_cost;
    double gain = cost * (1 - 1.0 / threads) - BARRIER_COST * plan->barriers;
    return share_all || pool_pays(1e-9 * gain);
}

bool plan_run(Plan *plan, Err *err) {
    if (!plan->placed || plan->unbound || plan->generation != scratch_generation())
        if (!prepare(plan, err)) return false;
    if (plan->profile && pool_threads() <= plan->profile->threads)
        run_timed(plan, is_worth_sharing(plan));
    else if (poison)
        pool_run1(walk_poisoned, plan);
    else if (is_worth_sharing(plan))
        pool_run(walk, plan);
    else
        pool_run1(walk_alone, plan);
    return has_failed(plan) ? report_fault(plan, err) : true;
}
