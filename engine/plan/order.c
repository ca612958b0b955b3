/* Which nodes become steps, in which order: that of the graph, in which the script wrote
 * them, but for updates of variables. An update may be written straight into its variable
 * only when nothing after it can fail, so updates move behind the last step that can. */
#include "plan/internal.h"

static bool is_step(const Draft *draft, NodeId id) {
    const Node *node = &draft->nodes[id];
    return draft->live[id] && node->op < OP_COUNT && draft_base(draft, id) == id;
}

static bool can_fail(const Draft *draft, NodeId id) {
    return is_step(draft, id) && draft_can_fail(draft, id);
}

/* Marks what can wait until after `last`, the last node that can fail: the updates, and
 * what is computed from them, but nothing that a failing step needs. */
static bool mark_late(const Draft *draft, NodeId last, bool *late, Err *err) {
    Arena arena = {0};
    bool *needed = arena_alloc(&arena, (size_t)last + 1);
    if (!needed) return plan_no_memory(err);
    for (NodeId id = last; id >= 0; id--) {
        const Node *node = &draft->nodes[id];
        needed[id] = needed[id] || can_fail(draft, id);
        for (int k = 0; needed[id] && k < node->n_in; k++) needed[node->in[k]] = true;
    }
    for (int k = 0; k < draft->n_stores; k++) {
        NodeId update = draft_producer(draft, draft->stores[k].value);
        if (update < last && is_step(draft, update)) late[update] = !needed[update];
    }
    for (NodeId id = 0; id < last; id++) {
        const Node *node = &draft->nodes[id];
        for (int k = 0; draft->live[id] && k < node->n_in; k++)
            late[id] = late[id] || late[node->in[k]];
    }
    arena_free(&arena);
    return true;
}

bool draft_order(const Draft *draft, NodeId order[], int *n, Err *err) {
    NodeId last = NODE_NONE;
    for (NodeId id = 0; id < draft->count; id++)
        if (can_fail(draft, id)) last = id;
    Arena arena = {0};
    bool *late = arena_alloc(&arena, (size_t)draft->count + 1);
    if (!late) return plan_no_memory(err);
    bool done = true;
    if (draft->optimize && draft->n_stores > 0 && last > 0)
        done = mark_late(draft, last, late, err);
    int count = 0;
    for (NodeId id = 0; id <= last; id++)
        if (is_step(draft, id) && !late[id]) order[count++] = id;
    for (NodeId id = 0; id <= last; id++)
        if (is_step(draft, id) && late[id]) order[count++] = id;
    for (NodeId id = last + 1; id < draft->count; id++)
        if (is_step(draft, id)) order[count++] = id;
    arena_free(&arena);
    if (done) *n = count;
    return done;
}
