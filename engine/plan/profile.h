/* Where the time of a plan's runs goes.
 *
 *     plan_profile_start(plan, 20, &err);       // from now on its runs are timed
 *     ...
 *     const PlanProfile *profile = plan_profile(plan);
 *     for (int s = 0; s < profile->steps; s++) ... plan_profile_step(plan, s)
 *     plan_profile_stop(plan);
 *
 * A step's time is what the calling thread spends in it; waiting for the other threads is
 * what is left of a run's time. Of the first runs the spans of every thread are kept. */
#ifndef CDL_PLAN_PROFILE_H
#define CDL_PLAN_PROFILE_H
#include "plan/plan.h"

/* A thread's time in one phase of a step, on the monotonic clock; begin 0: it had no part
 * in it. */
typedef struct ProfileSpan {
    double begin, end;
} ProfileSpan;

typedef struct PlanProfile {
    int steps, phases, threads;
    int64_t runs;
    double seconds; /* of all runs */
    double copying; /* of these: gathering the batch */
    double *step;   /* of these: in each step */
    int kept, most_kept;
    ProfileSpan *spans; /* (most_kept, threads, phases) */
    ProfileSpan *now;   /* (threads, phases): the run that goes on, or was the last */
} PlanProfile;

/* What a step is, and what it has to do in each run. */
typedef struct StepInfo {
    const char *name, *path, *where;
    double flops, bytes; /* flops 0: only the memory that it touches counts */
    int64_t parts;       /* of the phase that has the most */
} StepInfo;

/* keep: the number of runs whose spans are kept. A profile that is there begins anew. */
bool plan_profile_start(Plan *plan, int keep, Err *err);
void plan_profile_stop(Plan *plan);
const PlanProfile *plan_profile(const Plan *plan); /* NULL: not started */
StepInfo plan_step_info(const Plan *plan, int step);
int plan_phase_step(const Plan *plan, int phase); /* the step that a phase belongs to */
double plan_copied_bytes(const Plan *plan);       /* by a run, into the plan's inputs */

#endif
