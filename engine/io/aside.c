#define _GNU_SOURCE
#include "io/aside.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REPORT = 3 }; /* the first number behind the standard files */

static bool fail(Err *err, const char *what, int reason) {
    return err_set(err, "cannot %s: %s", what, strerror(reason));
}

/* Of the calling thread: it runs where a CPU has nothing else to do. */
static void give_way(void) {
    struct sched_param none = {0};
    sched_setscheduler(0, SCHED_IDLE, &none);
}

/* ---- a process ---- */

/* Closes what the child has inherited, all but the pipe. The numbers of the standard files
 * stay taken, so that nobody's messages end up in a file that is opened later. */
static bool close_files(int report) {
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(report, REPORT) < 0) return false;
    for (int fd = 0; fd < REPORT; fd++)
        if (dup2(null, fd) < 0) return false;
    closefrom(REPORT + 1);
    return true;
}

/* A signal that is meant for all of a terminal's processes is the program's to answer. */
static void prepare(pid_t program) {
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != program) _exit(1); /* it has ended meanwhile */
    give_way();
}

static void run_process(AsideWork *work, void *context, int report) {
    Err err = {0};
    if (!close_files(report))
        fail(&err, "close files", errno);
    else if (work(context, &err))
        _exit(0);
    ssize_t written = write(REPORT, err.text, strlen(err.text));
    _exit(written < 0 ? 2 : 1);
}

bool aside_fork(Aside *aside, AsideWork *work, void *context, Err *err) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return fail(err, "make a pipe", errno);
    pid_t program = getpid(), process = fork();
    if (process == 0) {
        prepare(program);
        run_process(work, context, ends[1]);
    }
    int reason = errno;
    close(ends[1]);
    if (process < 0) {
        close(ends[0]);
        return fail(err, "start a process", reason);
    }
    *aside = (Aside){
        .owner = program, .process = process, .report = ends[0], .state = ASIDE_RUNS};
    return true;
}

/* What the process has written into the pipe, which it has closed by ending. */
static void read_report(const Aside *aside, int status, Err *err) {
    char text[sizeof err->text];
    ssize_t count = read(aside->report, text, sizeof text - 1);
    text[count > 0 ? count : 0] = 0;
    if (WIFSIGNALED(status))
        err_set(err, "the process that did it was ended by signal %d", WTERMSIG(status));
    else
        err_set(err, "%s", text[0] ? text : "the process that did it failed");
}

static AsideState look_at_process(const Aside *aside, bool wait, Err *err) {
    int status;
    pid_t ended;
    do ended = waitpid(aside->process, &status, wait ? 0 : WNOHANG);
    while (ended < 0 && errno == EINTR);
    if (ended == 0) return ASIDE_RUNS;
    bool good = ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (ended < 0)
        fail(err, "ask for a process", errno);
    else if (!good)
        read_report(aside, status, err);
    close(aside->report);
    return good ? ASIDE_DONE : ASIDE_FAILED;
}

/* ---- a thread ---- */

static void *run_thread(void *argument) {
    Aside *aside = argument;
    give_way();
    bool good = aside->work(aside->context, &aside->err);
    atomic_store(&aside->state, good ? ASIDE_DONE : ASIDE_FAILED);
    return NULL;
}

/* Signals are for the main thread. */
bool aside_thread(Aside *aside, AsideWork *work, void *context, Err *err) {
    sigset_t all, before;
    *aside =
        (Aside){.owner = getpid(), .work = work, .context = context, .state = ASIDE_RUNS};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int reason = pthread_create(&aside->thread, NULL, run_thread, aside);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (reason == 0) return true;
    aside->state = ASIDE_NONE;
    return fail(err, "start a thread", reason);
}

static AsideState look_at_thread(Aside *aside, bool wait, Err *err) {
    if (!wait && atomic_load(&aside->state) == ASIDE_RUNS) return ASIDE_RUNS;
    pthread_join(aside->thread, NULL);
    AsideState state = (AsideState)atomic_load(&aside->state);
    if (state == ASIDE_FAILED) err_set(err, "%s", aside->err.text);
    return state;
}

AsideState aside_look(Aside *aside, bool wait, Err *err) {
    AsideState state = (AsideState)atomic_load(&aside->state);
    if (state == ASIDE_NONE || aside->owner != getpid()) return ASIDE_NONE;
    state = aside->process ? look_at_process(aside, wait, err)
                           : look_at_thread(aside, wait, err);
    if (state != ASIDE_RUNS) atomic_store(&aside->state, ASIDE_NONE);
    return state;
}
