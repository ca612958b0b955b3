/* When blocks are alive, which may take over another's memory, and where they lie in
 * scratch. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "plan/internal.h"

/* Blocks of up to so many bytes keep a place of their own: sharing would save nothing,
 * and each reuse by unrelated steps may cost a barrier. */
enum { SMALL = 256 };

static size_t aligned(size_t bytes) {
    return (bytes + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
}

static void touch(Plan *plan, int32_t block, int32_t step) {
    Block *b = &plan->blocks[block];
    if (b->first == NO_STEP) b->first = b->place == PLACE_PORT ? 0 : step;
    b->last = step;
}

void plan_lifetimes(Plan *plan) {
    for (int32_t k = 0; k < plan->n_blocks; k++)
        plan->blocks[k].first = plan->blocks[k].last = NO_STEP;
    for (int32_t s = 0; s < plan->n_steps; s++) {
        const Step *step = &plan->steps[s];
        for (int k = 0; k < step->call.n_in + step->call.n_out; k++)
            touch(plan, plan->slot_block[step->slot + k], s);
        if (step->scratch != NO_BLOCK) touch(plan, step->scratch, s);
    }
}

void plan_join(Plan *plan) {
    for (int32_t slot = 0; slot < plan->n_slots; slot++)
        plan->slot_block[slot] = block_root(plan, plan->slot_block[slot]);
}

/* ---- taking over ---- */

/* The key of random numbers is read as a whole, whatever its shape. */
static bool is_key(OpId op, int k) {
    switch (op) {
    case OP_random_uniform:
    case OP_random_normal:
    case OP_random_int:
    case OP_random_bernoulli:
    case OP_random_permutation:
        return k == 0;
    case OP_dropout:
        return k == 1;
    default:
        return false;
    }
}

bool step_aligned(const Step *step, int k) {
    const Call *call = &step->call;
    const int flags = step->kernel->flags;
    const bool own = k < call->n_out || k >= call->n_in;
    if (is_key(step->op, k)) return false;
    if (!(flags & KERNEL_ELEMENTWISE || (flags & KERNEL_IN_PLACE && own))) return false;
    const Operand *operand = k < call->n_in ? &call->in[k] : &call->out[k - call->n_in];
    return shape_equal(&operand->shape, &call->out[0].shape);
}

bool step_may_overwrite(const Plan *plan, const Step *step, int out, int32_t block) {
    const Call *call = &step->call;
    if (!step_aligned(step, call->n_in + out)) return false;
    for (int k = 0; k < call->n_in; k++) {
        if (block_root(plan, plan->slot_block[step->slot + k]) != block) continue;
        if (!step_aligned(step, k) || call->in[k].dtype != call->out[out].dtype)
            return false;
        /* A kernel with several outputs may write one before it reads another's input. */
        if (call->n_out > 1 && k != out) return false;
    }
    return true;
}

/* A block that dies in this step and whose memory its output may take. */
static int32_t find_dying(const Plan *plan, int32_t s, int out) {
    const Step *step = &plan->steps[s];
    const Operand *to = &step->call.out[out];
    for (int k = 0; k < step->call.n_in; k++) {
        int32_t from = block_root(plan, plan->slot_block[step->slot + k]);
        const Block *block = &plan->blocks[from];
        if (block->place == PLACE_SCRATCH && block->last == s &&
            block->bytes == (size_t)to->size * dtype_size(to->dtype) &&
            step_aligned(step, k) && step_may_overwrite(plan, step, out, from))
            return from;
    }
    return NO_BLOCK;
}

void plan_reuse(Plan *plan) {
    for (int32_t s = 0; s < plan->n_steps; s++) {
        const Step *step = &plan->steps[s];
        for (int out = 0; out < step->call.n_out; out++) {
            int32_t to = plan->slot_block[step->slot + step->call.n_in + out];
            Block *block = &plan->blocks[to];
            if (block->place != PLACE_SCRATCH || block->first != s || block->into != to)
                continue;
            int32_t from = find_dying(plan, s, out);
            if (from == NO_BLOCK) continue;
            block->into = from;
            plan->blocks[from].last = block->last;
            /* An output that nobody reads must still not be taken by the next output. */
            if (block->last == s) plan->blocks[from].last = s + 1;
        }
    }
    plan_join(plan);
    plan_lifetimes(plan);
}

/* ---- placing ---- */

typedef struct Piece {
    size_t bytes, offset;
    int32_t block, first, last;
} Piece;

/* Large ones first: they are the hardest to place, and small ones fit between them. */
static int compare_pieces(const void *a, const void *b) {
    const Piece *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    return x->block < y->block ? -1 : 1;
}

/* The smallest gap between placed pieces (sorted by offset) alive at the same time. */
static size_t best_offset(const Piece *piece, int32_t n, const Piece placed[]) {
    size_t end = 0, best = SIZE_MAX, smallest = SIZE_MAX;
    for (int32_t k = 0; k < n; k++) {
        const Piece *other = &placed[k];
        if (other->last < piece->first || piece->last < other->first) continue;
        if (other->offset >= end + piece->bytes && other->offset - end < smallest) {
            smallest = other->offset - end;
            best = end;
        }
        if (other->offset + other->bytes > end) end = other->offset + other->bytes;
    }
    return best != SIZE_MAX ? best : end;
}

static void insert_piece(Piece placed[], int32_t n, const Piece *piece) {
    int32_t at = n;
    while (at > 0 && placed[at - 1].offset > piece->offset) at--;
    memmove(&placed[at + 1], &placed[at], (size_t)(n - at) * sizeof *placed);
    placed[at] = *piece;
}

/* The most bytes alive in one step: no placement can need less. change: n_steps + 1
 * zeros. */
static size_t most_alive(const Plan *plan, int32_t n, const Piece pieces[],
                         int64_t change[]) {
    for (int32_t k = 0; k < n; k++) {
        const Block *block = &plan->blocks[pieces[k].block];
        change[block->first] += (int64_t)pieces[k].bytes;
        change[block->last + 1] -= (int64_t)pieces[k].bytes;
    }
    int64_t alive = 0, most = 0;
    for (int32_t s = 0; s < plan->n_steps; s++) {
        alive += change[s];
        if (alive > most) most = alive;
    }
    return (size_t)most;
}

bool plan_place(Plan *plan, Err *err) {
    Arena arena = {0};
    size_t room = (size_t)plan->n_blocks + 1;
    Piece *pieces = arena_alloc(&arena, room * sizeof *pieces);
    Piece *placed = arena_alloc(&arena, room * sizeof *placed);
    int64_t *change = arena_alloc(&arena, ((size_t)plan->n_steps + 2) * sizeof *change);
    if (!pieces || !placed || !change) {
        arena_free(&arena);
        return plan_no_memory(err);
    }
    int32_t n = 0;
    for (int32_t k = 0; k < plan->n_blocks; k++) {
        const Block *block = &plan->blocks[k];
        if (!block_in_scratch(plan, block) || block->into != k || block->first == NO_STEP)
            continue;
        Piece piece = {aligned(block->bytes), 0, k, block->first, block->last};
        if (!plan->optimize || piece.bytes <= SMALL) {
            piece.first = 0;
            piece.last = plan->n_steps;
        }
        pieces[n++] = piece;
    }
    plan->lower_bound = most_alive(plan, n, pieces, change);
    qsort(pieces, (size_t)n, sizeof *pieces, compare_pieces);
    size_t bytes = 0;
    for (int32_t k = 0; k < n; k++) {
        Piece *piece = &pieces[k];
        piece->offset = best_offset(piece, k, placed);
        insert_piece(placed, k, piece);
        plan->blocks[piece->block].offset = piece->offset;
        if (piece->offset + piece->bytes > bytes) bytes = piece->offset + piece->bytes;
    }
    plan->scratch_bytes = bytes;
    arena_free(&arena);
    return true;
}
