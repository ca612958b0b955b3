#define _GNU_SOURCE
#include "base/pool.h"
#include <assert.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/cpus.h"
#include "base/ftz.h"
#include "base/log.h"

enum { CACHE_LINE = 64, POLLS_PER_LOOK = 64 };

/* How long a waiting thread spins before it sleeps. Inside a run the others come soon; a
 * training loop's next step comes within the idle time, so it finds the workers awake. */
#define SPIN_IN_RUN 5e-3
#define SPIN_IDLE   50e-6
/* After this much spinning the CPU is offered to others: the awaited thread may need it.
 */
#define SPIN_SELFISH 20e-6
/* What sharing a run must save while the workers spin, and where they may sleep. */
#define START_COST 10e-6
#define WAKE_COST  40e-6
/* Workers that came late met other processes on their CPUs, which will stay a while. */
#define LATE_FOR 10e-3

/* A number that threads wait on to change. */
typedef struct Signal {
    _Atomic uint32_t value;
    _Atomic uint32_t sleepers;
} Signal;

static struct Pool {
    int wanted;  /* number of threads asked for; 0: not asked yet */
    int asked;   /* what the running workers were started for */
    int workers; /* how many run; fewer than asked - 1 when the system refused */
    uint32_t generation_at_start;
    bool in_run, atfork_registered;
    pthread_t worker[POOL_MAX];
    double asked_at; /* when somebody last asked for a small run */
    double hoped;    /* what the next run saves when its workers are on time; 0: a lot */
    double late_until; /* they are not expected to be before */

    /* A cache line for the start of a run and one for barriers: each travels between the
     * CPUs as a whole, so a worker that sees a new generation has the rest at hand. */
    alignas(CACHE_LINE) Signal generation; /* changes when a run begins */
    int threads;                           /* of this run */
    bool patient;                          /* spin at all: each thread has a CPU */
    PoolFunction *function;                /* NULL tells the workers to leave */
    void *context;

    alignas(CACHE_LINE) Signal phase; /* changes when all have arrived at a barrier */
    _Atomic uint32_t arrived;
} pool;

static void cpu_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static _Thread_local double waited; /* seconds in signal_wait, the shortest not counted */

static void sleep_while(Signal *s, uint32_t old) {
    /* Either this thread's count is seen by signal_set, or its new value is seen by the
     * kernel, which compares before it puts the thread to sleep. */
    atomic_fetch_add(&s->sleepers, 1);
    while (atomic_load(&s->value) == old)
        syscall(SYS_futex, &s->value, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
    atomic_fetch_sub(&s->sleepers, 1);
}

/* Returns when the value is no longer `old`, after spinning for at most `seconds` and
 * sleeping from then on. */
static void signal_wait(Signal *s, uint32_t old, double seconds) {
    double start = 0, now = 0;
    while (seconds > 0) {
        for (int i = 0; i < POLLS_PER_LOOK; i++) {
            if (atomic_load_explicit(&s->value, memory_order_acquire) != old) {
                waited += now - start;
                return;
            }
            cpu_pause();
        }
        now = clock_now();
        if (start == 0) start = now;
        if (now - start > seconds) break;
        if (now - start > SPIN_SELFISH) sched_yield();
    }
    sleep_while(s, old);
    if (start > 0) waited += clock_now() - start;
}

/* True: nobody slept. */
static bool signal_set(Signal *s, uint32_t value) {
    atomic_store(&s->value, value);
    if (atomic_load(&s->sleepers) == 0) return true;
    syscall(SYS_futex, &s->value, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
    return false;
}

void pool_barrier(void) {
    uint32_t threads = (uint32_t)pool.threads;
    if (threads <= 1) return;
    uint32_t phase = atomic_load_explicit(&pool.phase.value, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&pool.arrived, 1, memory_order_acq_rel) + 1 ==
        threads) {
        atomic_store_explicit(&pool.arrived, 0, memory_order_relaxed);
        signal_set(&pool.phase, phase + 1);
    } else {
        signal_wait(&pool.phase, phase, pool.patient ? SPIN_IN_RUN : 0);
    }
}

static void *worker_main(void *argument) {
    int thread = (int)(intptr_t)argument;
    ftz_on();
    for (uint32_t seen = pool.generation_at_start;; seen++) {
        signal_wait(&pool.generation, seen, pool.patient ? SPIN_IDLE : 0);
        if (!pool.function) return NULL;
        pool.function(pool.context, thread, pool.threads);
        pool_barrier();
    }
}

/* The child of a fork has no workers, and nobody waits or sleeps in its pool. */
static void forget_workers(void) {
    pool.asked = pool.workers = 0;
    pool.in_run = false;
    atomic_store(&pool.arrived, 0);
    atomic_store(&pool.generation.sleepers, 0);
    atomic_store(&pool.phase.sleepers, 0);
}

/* One CPU for each worker; the one where the caller runs now stays free for it. */
static void pin_workers(void) {
    cpu_set_t allowed;
    if (pthread_getaffinity_np(pthread_self(), sizeof allowed, &allowed) != 0) return;
    if (CPU_COUNT(&allowed) != pool.workers + 1) return;
    int here = sched_getcpu();
    if (here < 0 || !CPU_ISSET(here, &allowed)) return;
    CPU_CLR(here, &allowed);
    for (int worker = 0, cpu = 0; worker < pool.workers && cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed)) continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        pthread_setaffinity_np(pool.worker[worker++], sizeof one, &one);
    }
}

/* Workers run kernels, which need little of the 8 MB that a thread gets otherwise: where
 * memory is bounded, these count, and the arrays need them. */
enum { STACK = 2 << 20 };

static void start_workers(int threads) {
    if (!pool.atfork_registered)
        pool.atfork_registered = pthread_atfork(NULL, NULL, forget_workers) == 0;
    pool.asked = threads;
    pool.patient = threads <= pool_cpus();
    pool.generation_at_start = atomic_load(&pool.generation.value);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* workers inherit it */
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    while (pool.workers < threads - 1) {
        void *thread = (void *)(intptr_t)(pool.workers + 1);
        int failure =
            pthread_create(&pool.worker[pool.workers], &attr, worker_main, thread);
        if (failure) {
            log_warning("cannot start thread %d of %d (%s); going on with %d",
                        pool.workers + 2, threads, strerror(failure), pool.workers + 1);
            break;
        }
        pool.workers++;
    }
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pin_workers();
}

/* True: all workers were awake. */
static bool begin(PoolFunction *function, void *context, int threads) {
    pool.function = function;
    pool.context = context;
    pool.threads = threads;
    return signal_set(&pool.generation, atomic_load(&pool.generation.value) + 1);
}

void pool_stop(void) {
    assert(!pool.in_run);
    if (pool.workers > 0) begin(NULL, NULL, 1);
    for (int i = 0; i < pool.workers; i++) pthread_join(pool.worker[i], NULL);
    pool.asked = pool.workers = 0;
}

void pool_run1(PoolFunction *function, void *context) {
    assert(!pool.in_run);
    FtzState before = ftz_on();
    pool.in_run = true;
    pool.threads = 1;
    function(context, 0, 1);
    pool.in_run = false;
    ftz_restore(before);
}

void pool_run(PoolFunction *function, void *context) {
    assert(!pool.in_run);
    int threads = pool_threads();
    const bool start = threads != pool.asked;
    if (start) {
        pool_stop();
        start_workers(threads);
    }
    if (pool.workers == 0) {
        pool_run1(function, context);
        return;
    }
    FtzState before = ftz_on();
    pool.in_run = true;
    const bool awake = begin(function, context, pool.workers + 1) && !start;
    waited = 0;
    function(context, 0, pool.threads);
    pool_barrier();
    if (awake && pool.hoped > 0 && waited > pool.hoped)
        pool.late_until = clock_now() + LATE_FOR;
    pool.hoped = 0;
    pool.in_run = false;
    ftz_restore(before);
}

bool pool_pays(double saved) {
    if (saved > WAKE_COST) return true;
    /* Without a CPU for each, workers sleep after each run. */
    if (saved < START_COST || (pool.workers > 0 && !pool.patient)) return false;
    double now = clock_now();
    bool awake = now - pool.asked_at < SPIN_IDLE && now > pool.late_until;
    pool.asked_at = now;
    pool.hoped = awake ? saved : 0;
    return awake;
}

void pool_set_threads(int threads) {
    pool.wanted = threads < 1 ? 1 : threads > POOL_MAX ? POOL_MAX : threads;
}

int pool_threads(void) {
    if (pool.wanted == 0) pool_set_threads(pool_cpus());
    return pool.wanted;
}

int pool_cpus(void) { return cpus_available(); }

void pool_share(long parts, int thread, int threads, long *first, long *last) {
    /* The first `rest` threads take one part more. */
    long each = parts / threads, rest = parts % threads;
    *first = thread * each + (thread < rest ? thread : rest);
    *last = *first + each + (thread < rest);
}
