/* A plan's life: its tables, the passes that fill them, and what it tells. */
#include "plan/plan.h"
#include "base/mem.h"
#include "plan/internal.h"

static bool optimize = true;

void plan_set_optimize(bool on) { optimize = on; }

static void *table(Plan *plan, size_t n, size_t element) {
    size_t bytes;
    return mem_product(n + 1, element, &bytes) ? arena_alloc(&plan->arena, bytes) : NULL;
}

/* Room for the most that the steps can need. */
static bool make_tables(Plan *plan, const Draft *draft, int n_order, Err *err) {
    size_t n_out = (size_t)draft->n_out, n_stores = (size_t)draft->n_stores;
    size_t constants = 0, variables = n_stores, faults = 0, operands = 0;
    for (NodeId id = 0; id < draft->count; id++) {
        const Node *node = &draft->nodes[id];
        if (!draft->live[id]) continue;
        plan->n_nodes++;
        constants += node->op == OP_LEAF_CONSTANT;
        variables += node->op == OP_LEAF_VARIABLE;
        if (node->op >= OP_COUNT) continue;
        operands += (size_t)node->n_in + (size_t)op_table[node->op].n_out;
        faults += draft_can_fail(draft, id);
    }
    size_t copies = constants + n_out + 2 * n_stores, steps = (size_t)n_order + copies;
    size_t slots = operands + 2 * copies;
    size_t blocks = slots + steps + (size_t)plan->n_ports + variables + constants + n_out;
    plan->steps = table(plan, steps, sizeof *plan->steps);
    plan->blocks = table(plan, blocks, sizeof *plan->blocks);
    plan->slots = table(plan, slots, sizeof *plan->slots);
    plan->slot_block = table(plan, slots, sizeof *plan->slot_block);
    plan->port_slots = table(plan, slots, sizeof *plan->port_slots);
    plan->phases = table(plan, steps * KERNEL_PHASES, sizeof *plan->phases);
    plan->faults = table(plan, faults, sizeof *plan->faults);
    plan->fault_step = table(plan, faults, sizeof *plan->fault_step);
    plan->outputs = table(plan, n_out, sizeof *plan->outputs);
    plan->output_block = table(plan, n_out, sizeof *plan->output_block);
    plan->variables = table(plan, variables, sizeof(Variable *));
    plan->constants = table(plan, constants, sizeof *plan->constants);
    plan->n_out = draft->n_out;
    if (!plan->steps || !plan->blocks || !plan->slots || !plan->slot_block ||
        !plan->port_slots || !plan->phases || !plan->faults || !plan->fault_step ||
        !plan->outputs || !plan->output_block || !plan->variables || !plan->constants)
        return plan_no_memory(err);
    return true;
}

static bool make_ports(Plan *plan, const Graph *graph, int n_ports, Err *err) {
    plan->ports = table(plan, (size_t)n_ports, sizeof *plan->ports);
    if (!plan->ports) return plan_no_memory(err);
    plan->n_ports = n_ports;
    for (int p = 0; p < n_ports; p++) plan->ports[p].block = NO_BLOCK;
    for (NodeId id = 0; id < graph->count; id++) {
        const Node *node = &graph->nodes[id];
        if (node->op != OP_LEAF_INPUT) continue;
        int64_t number = node->attrs->i[0];
        if (number < 0 || number >= n_ports)
            return err_set(err, "the graph reads input %d, the plan has %d inputs",
                           (int)number, n_ports);
        Port *port = &plan->ports[number];
        if (port->known && (port->type.dtype != node->type.dtype ||
                            !shape_equal(&port->type.shape, &node->type.shape)))
            return err_set(err, "input %d is used with two different types", (int)number);
        port->known = true;
        port->type = node->type;
    }
    return true;
}

/* Which slots a port's address goes to. */
static void list_port_slots(Plan *plan) {
    int32_t at = 0;
    for (int p = 0; p < plan->n_ports; p++) {
        Port *port = &plan->ports[p];
        port->first_slot = at;
        if (port->block == NO_BLOCK) continue;
        for (int32_t slot = 0; slot < plan->n_slots; slot++)
            if (plan->slot_block[slot] == port->block) plan->port_slots[at++] = slot;
        port->n_slots = at - port->first_slot;
        if (port->n_slots == 0)
            port->block = NO_BLOCK;
        else
            plan->unbound++;
    }
}

/* Fetched values get their memory for as long as the plan lives. */
static bool make_own_memory(Plan *plan, Err *err) {
    for (int32_t k = 0; k < plan->n_blocks; k++) {
        Block *block = &plan->blocks[k];
        if (block->place != PLACE_OWN) continue;
        block->offset = plan->own_bytes;
        plan->own_bytes += (block->bytes + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
    }
    plan->own = mem_zalloc(plan->own_bytes + MEM_ALIGN);
    if (!plan->own)
        return err_set(err, "out of memory for %zu bytes of outputs", plan->own_bytes);
    for (int k = 0; k < plan->n_out; k++)
        plan->outputs[k].data = plan->own + plan->blocks[plan->output_block[k]].offset;
    return true;
}

/* The passes, one after the other. */
static bool build(Plan *plan, Draft *draft, Err *err) {
    int n_order;
    NodeId *order =
        arena_alloc(&draft->arena, ((size_t)draft->count + 1) * sizeof *order);
    if (!order) return plan_no_memory(err);
    if (!draft_order(draft, order, &n_order, err) ||
        !make_tables(plan, draft, n_order, err) ||
        !plan_add_steps(plan, draft, n_order, order, err))
        return false;
    plan_lifetimes(plan);
    if (plan->optimize) {
        if (!plan_store_in_place(plan, err)) return false;
        plan_reuse(plan);
    }
    list_port_slots(plan);
    return make_own_memory(plan, err) && plan_place(plan, err) &&
           plan_schedule(plan, err);
}

static bool check_nodes(const Graph *graph, int n_out, const NodeId out[], int n_stores,
                        const PlanStore stores[], Err *err) {
    if (graph->err.set) return err_set_at(err, graph->err.where, "%s", graph->err.text);
    for (int k = 0; k < n_out; k++)
        if (out[k] < 0 || out[k] >= graph->count)
            return err_set(err, "output %d is not a node of the graph", k);
    for (int k = 0; k < n_stores; k++)
        if (stores[k].value < 0 || stores[k].value >= graph->count)
            return err_set(err, "the value of variable '%s' is not a node of the graph",
                           stores[k].variable->path);
    return true;
}

Plan *plan_new(const Graph *graph, int n_ports, int n_out, const NodeId out[],
               int n_stores, const PlanStore stores[], Err *err) {
    if (!check_nodes(graph, n_out, out, n_stores, stores, err)) return NULL;
    Plan *plan = mem_zalloc(sizeof *plan);
    if (!plan) {
        plan_no_memory(err);
        return NULL;
    }
    plan->optimize = optimize;
    Draft draft = {0};
    bool built = make_ports(plan, graph, n_ports, err) &&
                 draft_new(&draft, graph, optimize, n_out, out, n_stores, stores, err) &&
                 build(plan, &draft, err);
    draft_free(&draft);
    if (built) return plan;
    plan_free(plan);
    return NULL;
}

void plan_free(Plan *plan) {
    if (!plan) return;
    for (int k = 0; k < plan->n_variables; k++) variable_release(plan->variables[k]);
    for (int k = 0; k < plan->n_constants; k++) tensor_release(&plan->constants[k]);
    for (int k = 0; k < plan->n_faults; k++) pthread_mutex_destroy(&plan->faults[k].lock);
    plan_profile_stop(plan);
    mem_free(plan->own);
    arena_free(&plan->arena);
    mem_free(plan);
}

const Type *plan_port(const Plan *plan, int port) {
    if (port < 0 || port >= plan->n_ports || !plan->ports[port].known) return NULL;
    return &plan->ports[port].type;
}

int plan_outputs(const Plan *plan) { return plan->n_out; }

const Operand *plan_output(const Plan *plan, int index) { return &plan->outputs[index]; }

PlanInfo plan_info(const Plan *plan) {
    size_t values = 0;
    for (int32_t k = 0; k < plan->n_blocks; k++)
        if (block_in_scratch(plan, &plan->blocks[k])) values += plan->blocks[k].bytes;
    return (PlanInfo){.value_bytes = values,
                      .scratch_bytes = plan->scratch_bytes,
                      .lower_bound = plan->lower_bound,
                      .steps = plan->n_steps,
                      .barriers = plan->barriers,
                      .chained = plan->chained,
                      .nodes = plan->n_nodes};
}
