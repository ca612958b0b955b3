/* From nodes to steps and blocks. Tables are made before (plan.c), with room for all. */
#include "graph/call_setup.h"
#include "plan/internal.h"

typedef struct Builder {
    Plan *plan;
    const Draft *draft;
    int32_t *block_of;             /* by node; NO_BLOCK: not made yet */
    const char *text[4], *copy[4]; /* the last strings copied, and their copies */
    int next_text;
} Builder;

static int32_t block_add(Plan *plan, Place place, int number, size_t bytes) {
    int32_t block = plan->n_blocks++;
    plan->blocks[block] = (Block){place, number, block, NO_STEP, NO_STEP, bytes, 0};
    return block;
}

static size_t type_bytes(const Type *type) {
    return (size_t)shape_size(&type->shape) * dtype_size(type->dtype);
}

/* ---- leaves ---- */

static int32_t variable_block(Plan *plan, Variable *variable) {
    for (int32_t block = 0; block < plan->n_blocks; block++)
        if (plan->blocks[block].place == PLACE_VARIABLE &&
            plan->variables[plan->blocks[block].number] == variable)
            return block;
    plan->variables[plan->n_variables] = variable_retain(variable);
    return block_add(plan, PLACE_VARIABLE, plan->n_variables++,
                     tensor_bytes(&variable->value));
}

static int32_t port_block(Plan *plan, int port) {
    Port *p = &plan->ports[port];
    if (p->block == NO_BLOCK)
        p->block = block_add(plan, PLACE_PORT, port, type_bytes(&p->type));
    return p->block;
}

static int32_t constant_block(Plan *plan, const Tensor *tensor) {
    plan->constants[plan->n_constants] = tensor_retain(tensor);
    return block_add(plan, PLACE_CONSTANT, plan->n_constants++, tensor_bytes(tensor));
}

/* The block that holds a node's value; leaves get theirs when something asks for it. */
static int32_t block_for(Builder *b, NodeId node) {
    NodeId base = draft_base(b->draft, node);
    const Node *n = &b->draft->nodes[base];
    int32_t *block = &b->block_of[base];
    if (*block != NO_BLOCK) return *block;
    if (n->op == OP_LEAF_VARIABLE) return *block = variable_block(b->plan, n->variable);
    if (n->op == OP_LEAF_INPUT) return *block = port_block(b->plan, (int)n->attrs->i[0]);
    if (n->op == OP_LEAF_CONSTANT) return *block = constant_block(b->plan, &n->constant);
    return *block = block_add(b->plan, PLACE_SCRATCH, 0, type_bytes(&n->type));
}

/* ---- steps ---- */

/* Lines and paths repeat from node to node, and the graph keeps one copy of each. Without
 * memory for one, errors go without it. */
static const char *text_keep(Builder *b, const char *text) {
    if (!text || !*text) return "";
    for (int k = 0; k < 4; k++)
        if (b->text[k] == text) return b->copy[k];
    const char *copy = arena_strdup(&b->plan->arena, text);
    if (!copy) return "";
    b->text[b->next_text] = text;
    b->copy[b->next_text] = copy;
    b->next_text = (b->next_text + 1) % 4;
    return copy;
}

/* A step whose types are given; its slots address the given blocks, inputs first. */
static Step *step_add(Plan *plan, OpId op, const Kernel *kernel, const Attrs *attrs,
                      int n_in, const Type *in, int n_out, const Type *out,
                      const int32_t *blocks) {
    Step *step = &plan->steps[plan->n_steps++];
    *step = (Step){.op = op,
                   .kernel = kernel,
                   .name = op < OP_COUNT ? op_name(op) : "copy",
                   .where = "",
                   .path = "",
                   .slot = plan->n_slots,
                   .scratch = NO_BLOCK};
    Operand *operands = &plan->slots[plan->n_slots];
    call_init(&step->call, kernel, attrs, n_in, in, operands, n_out, out,
              operands + n_in);
    for (int k = 0; k < n_in + n_out; k++) plan->slot_block[plan->n_slots++] = blocks[k];
    size_t bytes = call_scratch(kernel, &step->call);
    if (bytes) step->scratch = block_add(plan, PLACE_SCRATCH, 0, bytes);
    step->cost = call_cost(kernel, &step->call);
    return step;
}

static Step *copy_add(Plan *plan, const Type *type, int32_t from, int32_t to) {
    int32_t blocks[2] = {from, to};
    return step_add(plan, OP_COUNT, &plan_copy_kernel, NULL, 1, type, 1, type, blocks);
}

static void node_add(Builder *b, NodeId id) {
    Plan *plan = b->plan;
    const Node *nodes = b->draft->nodes, *node = &nodes[id];
    int n_in = node->n_in, n_out = op_table[node->op].n_out;
    Type in[OP_MAX_IN], out[OP_MAX_OUT];
    int32_t blocks[OP_MAX_IN + OP_MAX_OUT];
    for (int k = 0; k < n_in; k++) {
        in[k] = nodes[node->in[k]].type;
        blocks[k] = block_for(b, node->in[k]);
    }
    for (int k = 0; k < n_out; k++) {
        out[k] = nodes[id + k].type;
        blocks[n_in + k] = block_for(b, id + k);
    }
    const Kernel *kernel = op_kernel(node->op);
    Step *step =
        step_add(plan, node->op, kernel, node->attrs, n_in, in, n_out, out, blocks);
    step->where = text_keep(b, node->where);
    step->path = text_keep(b, node->path);
    if (!draft_can_fail(b->draft, id)) return;
    plan->fault_step[plan->n_faults] = plan->n_steps - 1;
    step->call.fault = &plan->faults[plan->n_faults++];
    pthread_mutex_init(&step->call.fault->lock, NULL);
}

/* ---- what is copied before all else ---- */

static bool shares_a_store(const Draft *draft, const Tensor *constant) {
    for (int k = 0; k < draft->n_stores; k++)
        if (draft->stores[k].variable->value.buffer == constant->buffer) return true;
    return false;
}

/* Captured tensors that kernels cannot read in place, or that a store would change under
 * them, are copied at the start of each run; the user's later changes are seen. */
static void add_constant_copies(Builder *b) {
    Plan *plan = b->plan;
    for (NodeId id = 0; id < b->draft->count; id++) {
        const Node *node = &b->draft->nodes[id];
        if (!b->draft->live[id] || node->op != OP_LEAF_CONSTANT) continue;
        if (tensor_is_contiguous(&node->constant) &&
            !shares_a_store(b->draft, &node->constant))
            continue;
        int32_t blocks[2] = {constant_block(plan, &node->constant),
                             block_add(plan, PLACE_SCRATCH, 0, type_bytes(&node->type))};
        Step *step = step_add(plan, OP_COUNT, &plan_strided_kernel, NULL, 1, &node->type,
                              1, &node->type, blocks);
        for (int axis = 0; axis < node->type.shape.ndim; axis++)
            step->call.note[axis] = node->constant.stride[axis];
        step->where = text_keep(b, node->where);
        step->path = text_keep(b, node->path);
        b->block_of[id] = blocks[1];
    }
}

/* Where output k is found: memory of the plan. A fetched variable, port or captured
 * tensor is copied, at the start, so that it is the value from before the run. */
static void add_output(Builder *b, int k) {
    Plan *plan = b->plan;
    const Type *type = &b->draft->nodes[b->draft->out[k]].type;
    int32_t block = block_for(b, b->draft->out[k]);
    if (plan->blocks[block].place == PLACE_SCRATCH) {
        plan->blocks[block].place = PLACE_OWN;
    } else if (plan->blocks[block].place != PLACE_OWN) {
        int32_t own = block_add(plan, PLACE_OWN, 0, type_bytes(type));
        copy_add(plan, type, block, own);
        block = own;
    }
    plan->output_block[k] = block;
    plan->outputs[k] = (Operand){
        .size = shape_size(&type->shape), .dtype = type->dtype, .shape = type->shape};
}

/* A variable assigned to another is copied at the start too: it may itself be assigned.
 */
static void stage_stores(Builder *b, int32_t sources[]) {
    Plan *plan = b->plan;
    for (int k = 0; k < b->draft->n_stores; k++) {
        NodeId value = b->draft->stores[k].value;
        sources[k] = block_for(b, value);
        if (plan->blocks[sources[k]].place != PLACE_VARIABLE) continue;
        const Type *type = &b->draft->nodes[value].type;
        int32_t staged = block_add(plan, PLACE_SCRATCH, 0, type_bytes(type));
        copy_add(plan, type, sources[k], staged);
        sources[k] = staged;
    }
}

bool plan_add_steps(Plan *plan, Draft *draft, int n_order, const NodeId order[],
                    Err *err) {
    Builder b = {.plan = plan, .draft = draft};
    int32_t *sources =
        arena_alloc(&draft->arena, ((size_t)draft->n_stores + 1) * sizeof *sources);
    b.block_of =
        arena_alloc(&draft->arena, ((size_t)draft->count + 1) * sizeof *b.block_of);
    if (!sources || !b.block_of) return plan_no_memory(err);
    for (NodeId id = 0; id < draft->count; id++) b.block_of[id] = NO_BLOCK;
    for (int k = 0; k < draft->n_stores; k++)
        variable_block(plan, draft->stores[k].variable);
    plan->n_stored = plan->n_variables;
    add_constant_copies(&b);
    for (int k = 0; k < draft->n_out; k++) add_output(&b, k);
    stage_stores(&b, sources);
    for (int k = 0; k < n_order; k++) node_add(&b, order[k]);
    for (int k = 0; k < draft->n_stores; k++) {
        const PlanStore *store = &draft->stores[k];
        int32_t to = variable_block(plan, store->variable);
        copy_add(plan, &draft->nodes[store->value].type, sources[k], to)->commit = true;
    }
    return true;
}
