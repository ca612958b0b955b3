/* The thread pool: N-1 workers that run one function together with the calling thread
 * (SPMD). There is one pool in a process and one caller, the main thread.
 *
 *     static void work(void *context, int thread, int threads) { ... pool_barrier(); ... }
 *     pool_run(work, &context);                   // returns when all threads have finished
 *
 * Kernels never call it: a plan or an eager op cuts its work into parts and walks them.
 * Workers start at the first pool_run that wants them. Inside a run, waiting threads spin
 * for a few milliseconds and then sleep on a futex; between runs they spin only briefly.
 * A forked child has no workers and starts its own at its first run.
 * FTZ/DAZ is on in workers, and in the calling thread during a run only.
 * SIGINT, SIGTERM and their kind are blocked in workers. */
#ifndef CDL_BASE_POOL_H
#define CDL_BASE_POOL_H
#include <stdbool.h>

typedef void PoolFunction(void *context, int thread, int threads);

enum { POOL_MAX = 256 };

/* Number of threads, 1..POOL_MAX; takes effect at the next run. The default is the number
 * of CPUs that this process may use (affinity and cgroup quota). */
void pool_set_threads(int threads);
int pool_threads(void);
int pool_cpus(void); /* what the default is */

void pool_run(PoolFunction *function, void *context); /* on all threads */
void pool_run1(PoolFunction *function,
               void *context); /* on the caller alone, same FTZ rule */
void pool_barrier(void);       /* inside pool_run: wait for all */
/* To be asked before a run that could also be the caller's alone: does it pay to share it
 * when that saves so many seconds? Where these are few, only while such runs follow one
 * another so closely that the workers stay awake, and no other process keeps them from
 * their CPUs. */
bool pool_pays(double saved);
void pool_stop(void); /* joins the workers; a later run starts them */

/* The contiguous run of parts [*first, *last) that belongs to a thread. */
void pool_share(long parts, int thread, int threads, long *first, long *last);

#endif
