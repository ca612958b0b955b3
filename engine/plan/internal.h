/* How a plan looks inside; for the files of this folder and their tests.
 *
 * A plan is made in passes, each a file:
 *
 *     simplify   the graph's nodes copied, equal ones joined, small constants computed
 *     fuse       nodes that are one pass over memory together
 *     order      which nodes become steps, and in which order
 *     build      steps, and blocks for what they read and write
 *     store      new values of variables written straight into the variables
 *     memory     blocks that take over dying ones; offsets in the scratch arena
 *     schedule   steps become phases, with barriers where threads must meet, and chains
 *     run        addresses, the walk, faults
 *
 * A *block* is memory for one value: in scratch, in the plan, or a variable's, a captured
 * tensor's, a port's. Several operands may be one block (a reshaped tensor is the same
 * block). A *slot* is an operand of a step; slot_block says which block it addresses. */
#ifndef CDL_PLAN_INTERNAL_H
#define CDL_PLAN_INTERNAL_H
#include "base/arena.h"
#include "kernels/fault.h"
#include "plan/plan.h"
#include "plan/profile.h"

enum { NO_BLOCK = -1, NO_STEP = -1 };

typedef enum Place {
    PLACE_SCRATCH,
    PLACE_OWN, /* in the plan: what is fetched */
    PLACE_VARIABLE,
    PLACE_CONSTANT,
    PLACE_PORT
} Place;

typedef struct Block {
    Place place;
    int32_t number; /* of the variable, constant or port */
    int32_t into;   /* the block whose memory this one uses; itself when it has its own */
    int32_t first, last;  /* the steps that write it first, use it last; or NO_STEP */
    size_t bytes, offset; /* offset: scratch and own */
} Block;

typedef struct Step {
    OpId op; /* OP_COUNT: a copy on the plan's own account */
    const Kernel *kernel;
    const char *name;         /* the op's, or what the plan does on its own account */
    const char *where, *path; /* of the node */
    Call call;
    int32_t slot;    /* its first input; the outputs follow the inputs */
    int32_t scratch; /* block of the kernel's scratch, or NO_BLOCK */
    bool commit;     /* copies a new value to its variable, at the end of the run */
    double cost;     /* nanoseconds on one thread */
} Step;

/* Threads meet before this phase; and leave the run there when a step has failed. */
enum { PHASE_BARRIER = 1, PHASE_CHECK = 2 };

typedef struct Phase {
    void (*run)(const Call *call, int64_t part);
    const Call *call;
    int64_t parts;
    int32_t flags, step;
    int32_t
        chain; /* so many phases, from this one on, take each part one after the other */
} Phase;

typedef struct Port {
    Type type;
    bool known; /* the graph has such an input */
    bool bound;
    bool copied;                 /* now: rows, or all, are copied into the port's block */
    bool has_room;               /* has been copied: its block has a place in scratch */
    int32_t block;               /* NO_BLOCK: nothing reads the port */
    int32_t first_slot, n_slots; /* in port_slots */
    const char *data;            /* what is bound, or the base of the rows */
    const int64_t *rows;         /* NULL: all rows in order */
    int64_t n_rows, rows_per_part;
    size_t row_bytes;
} Port;

struct Plan {
    Arena arena;
    int32_t n_steps, n_blocks, n_slots, n_phases, n_faults, n_nodes;
    Step *steps;
    Block *blocks;
    Operand *slots;
    int32_t *slot_block;
    Phase *phases;
    Fault *faults;
    int32_t *fault_step; /* the step that a fault belongs to */

    int n_ports, n_out, n_variables, n_constants;
    Port *ports;
    int32_t *port_slots;
    Operand *outputs;
    int32_t *output_block;
    Variable **variables; /* retained; those that are stored to come first */
    int n_stored;
    Tensor *constants; /* retained */
    char *own;         /* memory of the PLACE_OWN blocks */

    size_t own_bytes, scratch_bytes, lower_bound;
    int barriers, chained;
    double parallel_cost; /* nanoseconds in what threads can share, ports not included */
    bool optimize;        /* as it was set when the plan was made */

    /* State between runs. */
    bool placed;          /* offsets and barriers are valid */
    uint64_t generation;  /* of the scratch arena that the addresses are for; 0: none */
    int unbound;          /* ports that must still be bound */
    int n_copied;         /* ports that are copied */
    double port_cost;     /* nanoseconds for that on one thread */
    PlanProfile *profile; /* NULL: runs are not timed */
};

/* ---- simplify.c: the graph as the plan wants it ---- */
typedef struct Draft {
    Arena arena;
    const Graph *graph;
    bool optimize;
    NodeId count;
    Node *nodes;  /* copies; inputs name the nodes that stand for others */
    NodeId *same; /* the node that stands for this one */
    bool *live;
    bool *fixed; /* a constant whose memory nobody outside the graph can change */
    int n_out, n_stores;
    NodeId *out;
    PlanStore *stores; /* one per variable */
    Tensor *folded;    /* computed constants; released by draft_free */
    int n_folded;
} Draft;

/* draft_free also after a failure. */
bool draft_new(Draft *draft, const Graph *graph, bool optimize, int n_out,
               const NodeId out[], int n_stores, const PlanStore stores[], Err *err);
void draft_free(Draft *draft);
/* The node whose memory this one shows: itself, or what it reshapes. */
NodeId draft_base(const Draft *draft, NodeId node);
/* The step's node that computes this one: draft_base, and the op of a further output. */
NodeId draft_producer(const Draft *draft, NodeId node);
/* May the node's kernel report a fault? */
bool draft_can_fail(const Draft *draft, NodeId node);

/* ---- fuse.c ---- Joins live nodes that are one pass over memory; false: no memory. */
bool draft_fuse(Draft *draft);

/* ---- order.c ---- The live nodes that become steps, into order[] (count entries of
 * room). */
bool draft_order(const Draft *draft, NodeId order[], int *n, Err *err);

/* ---- build.c ---- Fills steps, blocks, slots and outputs, whose tables have room. */
bool plan_add_steps(Plan *plan, Draft *draft, int n_order, const NodeId order[],
                    Err *err);

/* ---- copy.c: what a plan does on its own account ---- */
extern const Kernel plan_copy_kernel;    /* out = in */
extern const Kernel plan_strided_kernel; /* out = in, whose strides are call.note */
void port_copy(const Port *port, char *to, int thread, int threads);

/* ---- store.c ---- Turns commits into writes in place where that is right. */
bool plan_store_in_place(Plan *plan, Err *err);

/* ---- memory.c ---- */
void plan_lifetimes(Plan *plan);
void plan_join(Plan *plan);  /* slots address the blocks that theirs were joined into */
void plan_reuse(Plan *plan); /* elementwise steps write over what dies in them */
bool plan_place(Plan *plan, Err *err); /* offsets in scratch; sizes */
/* Is operand k (inputs first) read or written element by element with the first output,
 * or as a part of what the step updates? */
bool step_aligned(const Step *step, int k);
/* May output `out` of the step be written over the block `block` that the step reads? */
bool step_may_overwrite(const Plan *plan, const Step *step, int out, int32_t block);
static inline int32_t block_root(const Plan *plan, int32_t block) {
    while (plan->blocks[block].into != block) block = plan->blocks[block].into;
    return block;
}
static inline bool block_in_scratch(const Plan *plan, const Block *block) {
    return block->place == PLACE_SCRATCH ||
           (block->place == PLACE_PORT && plan->ports[block->number].has_room);
}

/* ---- schedule.c ---- Phases and barriers; needs the offsets. */
bool plan_schedule(Plan *plan, Err *err);

/* ---- profile.c ---- Around a run whose phases write their spans into profile->now. */
void profile_begin(PlanProfile *profile);
void profile_end(const Plan *plan);

/* ---- scratch.c: the process's arena ---- */
bool scratch_reserve(size_t bytes, Err *err);
char *scratch_base(void);
uint64_t scratch_generation(void); /* changes when the arena moves; never 0 */

bool plan_no_memory(Err *err);

#endif
