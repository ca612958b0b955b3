/* The thread pool: results, barriers, forks, changes of the number of threads. */
#define _GNU_SOURCE
#include "base/pool.h"
#include <float.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"
#include "test.h"

/* ThreadSanitizer ends a forked child that starts threads unless told otherwise. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) { return "die_after_fork=0"; }

enum { VALUES = 1000 };

/* Each thread sums its share; after the barrier each adds up all partial sums itself, so
 * a thread that passes the barrier too early gets a wrong total. */
typedef struct Sum {
    int values[VALUES];
    long partial[POOL_MAX];
    long total[POOL_MAX];
    int threads;
} Sum;

static void sum_values(void *context, int thread, int threads) {
    Sum *sum = context;
    long first, last;
    pool_share(VALUES, thread, threads, &first, &last);
    sum->partial[thread] = 0;
    for (long i = first; i < last; i++) sum->partial[thread] += sum->values[i];
    pool_barrier();
    sum->total[thread] = 0;
    for (int i = 0; i < threads; i++) sum->total[thread] += sum->partial[i];
    if (thread == 0) sum->threads = threads;
}

/* The number of threads that ran and agreed on the right sum. */
static int threads_that_agree(void) {
    Sum sum = {0};
    for (int i = 0; i < VALUES; i++) sum.values[i] = i;
    pool_run(sum_values, &sum);
    for (int i = 0; i < sum.threads; i++)
        if (sum.total[i] != (long)VALUES * (VALUES - 1) / 2) return -1;
    return sum.threads;
}

static void sums_do_not_depend_on_threads(void) {
    const int threads[] = {1, 2, 5, 2, 3, 1, 5};
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        pool_set_threads(threads[i]);
        CHECK(pool_threads() == threads[i]);
        CHECK(threads_that_agree() == threads[i]);
        CHECK(threads_that_agree() == threads[i]);
    }
}

static void numbers_of_threads_are_limited(void) {
    pool_set_threads(0);
    CHECK(pool_threads() == 1);
    pool_set_threads(100000);
    CHECK(pool_threads() == POOL_MAX);
    CHECK(pool_cpus() >= 1);
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
        CHECK(pool_cpus() <= CPU_COUNT(&allowed));
}

/* Workers spin for microseconds after a run; who has slept is not woken for little. */
static void sleepers_are_left_alone(void) {
    pool_set_threads(2);
    CHECK(threads_that_agree() == 2);
    for (int k = 0; k < 3; k++) {
        usleep(1000);
        CHECK(!pool_pays(20e-6) && pool_pays(1e-3));
    }
}

static void shares_cover_all_parts(void) {
    for (long parts = 0; parts < 40; parts++) {
        for (int threads = 1; threads < 12; threads++) {
            long next = 0, least = parts, most = 0;
            for (int thread = 0; thread < threads; thread++) {
                long first, last;
                pool_share(parts, thread, threads, &first, &last);
                CHECK(first == next && last >= first);
                next = last;
                if (last - first < least) least = last - first;
                if (last - first > most) most = last - first;
            }
            CHECK(next == parts);
            CHECK(most - least <= 1);
        }
    }
}

/* Rounds of a ring: in each, a thread reads what its neighbour wrote in the one before.
 */
enum { ROUNDS = 3000 };

static void ring(void *context, int thread, int threads) {
    long(*cell)[2] = context;
    for (long round = 0; round < ROUNDS; round++) {
        cell[thread][round % 2] = cell[(thread + 1) % threads][(round + 1) % 2] + 1;
        pool_barrier();
    }
}

static void barriers_keep_order(void) {
    for (int threads = 1; threads <= 5; threads++) {
        long cell[5][2] = {{0}};
        pool_set_threads(threads);
        pool_run(ring, cell);
        for (int i = 0; i < threads; i++) CHECK(cell[i][(ROUNDS - 1) % 2] == ROUNDS);
    }
}

static void count_run(void *context, int thread, int threads) {
    long *counts = context;
    counts[thread * 8]++;
}

static void many_runs_lose_none(void) {
    for (int threads = 1; threads <= 5; threads += 2) {
        long counts[5 * 8] = {0};
        pool_set_threads(threads);
        pool_run(count_run, counts);
        uint64_t allocations = mem_allocations();
        for (int i = 1; i < 5000; i++) {
            pool_run(count_run, counts);
            if (i % 1000 == 0) usleep(2000); /* long enough for workers to fall asleep */
        }
        for (int i = 0; i < threads; i++) CHECK(counts[i * 8] == 5000);
        CHECK(mem_allocations() == allocations);
    }
}

/* One thread is late by more than the others spin: they sleep and must be woken. */
static void late(void *context, int thread, int threads) {
    atomic_int *arrived = context;
    if (thread == threads - 1) usleep(20000);
    atomic_fetch_add(arrived, 1);
    pool_barrier();
    if (atomic_load(arrived) != threads) atomic_fetch_add(arrived, 1000);
    pool_barrier();
    if (thread == 0) usleep(20000); /* and the workers wait for the caller */
}

static void sleepers_are_woken(void) {
    for (int threads = 2; threads <= 5; threads++) {
        atomic_int arrived = 0;
        pool_set_threads(threads);
        pool_run(late, &arrived);
        CHECK(atomic_load(&arrived) == threads);
    }
}

static void stopped_pool_starts_again(void) {
    pool_set_threads(3);
    CHECK(threads_that_agree() == 3);
    pool_stop();
    pool_stop();
    CHECK(threads_that_agree() == 3);
    pool_stop();
}

/* ---- forks ---- */

static int status_of(pid_t child) {
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int grandchild_status(int threads) {
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        _exit(threads_that_agree() == threads ? 0 : 3);
    }
    return status_of(child);
}

static void children_have_a_pool_of_their_own(void) {
    enum { CHILDREN = 30 };
    pid_t child[CHILDREN];
    pool_set_threads(3);
    CHECK(threads_that_agree() == 3);
    fflush(NULL);
    for (int i = 0; i < CHILDREN; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            alarm(60);
            int threads = 2 + i % 3;
            if (i % 2)
                pool_set_threads(threads); /* else as many as the parent */
            else
                threads = 3;
            if (threads_that_agree() != threads) _exit(1);
            if (i % 3 == 0 && grandchild_status(threads) != 0) _exit(2);
            if (threads_that_agree() != threads) _exit(4);
            _exit(0);
        }
        CHECK(threads_that_agree() == 3); /* the parent goes on meanwhile */
    }
    for (int i = 0; i < CHILDREN; i++) CHECK(status_of(child[i]) == 0);
    CHECK(threads_that_agree() == 3);
}

/* Address space for a few more stacks only: the run goes on with the threads that exist.
 * Sanitizers need the address space themselves. */
static void refused_threads_are_done_without(void) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        unsigned long pages = 0;
        FILE *file = fopen("/proc/self/statm", "r");
        if (!file || fscanf(file, "%lu", &pages) != 1) _exit(1);
        rlim_t bytes = pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)64 << 20);
        struct rlimit limit = {bytes, bytes};
        if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(2);
        log_enable(false);
        pool_set_threads(POOL_MAX);
        int threads = threads_that_agree();
        if (threads < 1 || threads >= POOL_MAX) _exit(3);
        _exit(threads_that_agree() == threads ? 0 : 4);
    }
    CHECK(status_of(child) == 0);
#endif
}

/* ---- what a thread's state is ---- */

/* Volatile, so that the product is computed where the test stands. */
static bool flushes_subnormals(void) {
    volatile float small = FLT_MIN, half = 0.5f;
    volatile float product = small * half;
    return product == 0;
}

typedef struct State {
    bool flushes[POOL_MAX], blocks[POOL_MAX];
    int threads;
} State;

static void look_at_state(void *context, int thread, int threads) {
    State *state = context;
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    state->flushes[thread] = flushes_subnormals();
    state->blocks[thread] =
        sigismember(&blocked, SIGINT) && sigismember(&blocked, SIGTERM);
    if (thread == 0) state->threads = threads;
}

static void subnormals_are_flushed_in_runs_alone(void) {
#if defined(__SSE2__) || defined(__aarch64__)
    State state = {0};
    pool_set_threads(3);
    CHECK(!flushes_subnormals());
    pool_run(look_at_state, &state);
    CHECK(!flushes_subnormals());
    CHECK(state.threads == 3);
    for (int i = 0; i < 3; i++) CHECK(state.flushes[i]);
    state = (State){0};
    pool_run1(look_at_state, &state);
    CHECK(!flushes_subnormals());
    CHECK(state.threads == 1 && state.flushes[0] && !state.flushes[1]);
#endif
}

static void signals_stay_with_the_caller(void) {
    State state = {0};
    pool_set_threads(3);
    pool_run(look_at_state, &state);
    CHECK(!state.blocks[0] && state.blocks[1] && state.blocks[2]);
}

typedef struct Masks {
    cpu_set_t of[2];
} Masks;

static void look_at_masks(void *context, int thread, int threads) {
    Masks *masks = context;
    sched_getaffinity(0, sizeof masks->of[0], &masks->of[thread]);
}

static void a_worker_is_pinned_and_the_caller_is_not(void) {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2)
        return;
    cpu_set_t two;
    CPU_ZERO(&two);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&two) < 2; cpu++)
        if (CPU_ISSET(cpu, &allowed)) CPU_SET(cpu, &two);
    pool_stop();
    CHECK(sched_setaffinity(0, sizeof two, &two) == 0);
    Masks masks;
    pool_set_threads(2);
    pool_run(look_at_masks, &masks);
    CHECK(CPU_EQUAL(&masks.of[0], &two));
    CHECK(CPU_COUNT(&masks.of[1]) == 1);
    pool_stop();
    sched_setaffinity(0, sizeof allowed, &allowed);
}

TEST_MAIN(sleepers_are_left_alone, numbers_of_threads_are_limited,
          sums_do_not_depend_on_threads, shares_cover_all_parts, barriers_keep_order,
          many_runs_lose_none, sleepers_are_woken, stopped_pool_starts_again,
          children_have_a_pool_of_their_own, refused_threads_are_done_without,
          subnormals_are_flushed_in_runs_alone, signals_stay_with_the_caller,
          a_worker_is_pinned_and_the_caller_is_not)
