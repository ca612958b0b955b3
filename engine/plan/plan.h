/* A plan: a graph turned into a flat list of kernel calls with fixed places in memory.
 *
 *     PlanStore stores[] = {{variable, new_value}};
 *     Plan *plan = plan_new(graph, 2, n_out, outputs, 1, stores, &err); // keeps no graph
 *     plan_bind(plan, 0, x);
 *     plan_bind_rows(plan, 1, labels, rows);
 *     if (!plan_run(plan, &err)) ... // a step failed: nothing was stored
 *     const Operand *loss = plan_output(plan, 0);
 *
 * Three memories: variables (their own buffers), scratch (one arena for the process,
 * grown to the largest plan, dead between runs), ports (inputs that are bound or
 * gathered; outputs, kept in the plan until its next run). A run allocates nothing once
 * the scratch arena is grown. A step is all or nothing: when a kernel reports a fault no
 * variable has changed. */
#ifndef CDL_PLAN_PLAN_H
#define CDL_PLAN_PLAN_H
#include "graph/graph.h"

typedef struct Plan Plan;

typedef struct PlanStore {
    Variable *variable;
    NodeId value; /* of the variable's shape and dtype */
} PlanStore;

typedef struct PlanInfo {
    size_t scratch_bytes; /* this plan's share of the arena */
    size_t lower_bound;   /* most bytes alive at once, whatever the placement */
    size_t value_bytes;   /* of all values in scratch, if none shared its memory */
    int steps, barriers, nodes;
    int chained; /* steps that run block by block together with the one before */
} PlanInfo;

/* n_ports inputs (ports 0..n_ports-1; unused ones are fine). NULL: err is set. */
Plan *plan_new(const Graph *graph, int n_ports, int n_out, const NodeId out[],
               int n_stores, const PlanStore stores[], Err *err);
void plan_free(Plan *plan);

/* The type that a port wants; dtype and shape are the caller's to match. NULL: the graph
 * has no such input, and what is bound to it does not matter. */
const Type *plan_port(const Plan *plan, int port);
/* Port reads this memory (contiguous, of the port's size) until it is bound anew. It may
 * be a variable's: where the plan stores to it, steps read what it was before the run. */
void plan_bind(Plan *plan, int port, const void *data);
/* Port takes rows base[rows[0]], base[rows[1]], ... copied by the plan's first step. base
 * is contiguous, rows has the port's first dimension entries; both must live until the
 * run. */
void plan_bind_rows(Plan *plan, int port, const void *base, const int64_t *rows);

bool plan_run(Plan *plan, Err *err);
int plan_outputs(const Plan *plan);
const Operand *plan_output(const Plan *plan, int index);

PlanInfo plan_info(const Plan *plan);
char *plan_dump(const Plan *plan); /* text, mem_free */
/* Debug aid: fills scratch with NaN before a run, dead buffers after their last use. */
void plan_set_poison(bool on);
/* Elementwise aliasing, in-place stores, dead code: switched off to test that they change
 * nothing. */
void plan_set_optimize(bool on);
/* The threads share every run, also where that does not pay. */
void plan_set_share_all(bool on);
/* Gives the process's scratch arena back; between runs. */
void plan_release_scratch(void);

#endif
