/* Work that is done aside, while the program goes on: writing the state of a run.
 *
 *     static bool work(void *context, Err *err) { ... write a file ... }
 *     Aside aside;
 *     if (!aside_fork(&aside, work, &job, &err)) ...          // do it here, then
 *     while (aside_look(&aside, false, &err) == ASIDE_RUNS) ...
 *
 * A forked copy of the process sees the memory as it is now, whatever the program does to
 * it later; making it takes the longer the more memory the program uses. A thread starts at
 * once, and must be given copies of what changes; the context stays the caller's until the
 * work has ended. Both give way to the program where there are not CPUs enough, and a
 * process ends with the program.
 *
 * The work may use memory and files, and nothing that belongs to the program as a whole: no
 * pool, no Lua, no stdio, no HDF5. A process closes all files of the program, without
 * writing what is in their buffers. */
#ifndef CDL_IO_ASIDE_H
#define CDL_IO_ASIDE_H
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include "base/err.h"

typedef bool AsideWork(void *context, Err *err);
typedef enum AsideState { ASIDE_NONE, ASIDE_RUNS, ASIDE_DONE, ASIDE_FAILED } AsideState;

typedef struct Aside {
    AsideWork *work;
    void *context;
    pid_t owner;   /* the process that began it; in a forked copy of that there is none */
    pid_t process; /* 0: a thread, */
    pthread_t thread;
    int report; /* where a process says why it failed */
    Err err;    /* why a thread failed */
    atomic_int state;
} Aside;

/* Both want an Aside that is zeroed or whose work has ended, and that stays where it is. */
bool aside_fork(Aside *aside, AsideWork *work, void *context, Err *err);
bool aside_thread(Aside *aside, AsideWork *work, void *context, Err *err);

/* How the work stands; with `wait` it waits for its end. ASIDE_DONE and ASIDE_FAILED are
 * told once; on ASIDE_FAILED err says why. */
AsideState aside_look(Aside *aside, bool wait, Err *err);

#endif
