/* Work aside: a thread and a process, whose ends and failures are told once. */
#include "test.h"
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "io/aside.h"

typedef bool Start(Aside *aside, AsideWork *work, void *context, Err *err);

static bool wait_for_go(void *context, Err *err) {
    char byte;
    return read(*(int *)context, &byte, 1) == 1 || err_set(err, "no byte came");
}

static bool refuse(void *context, Err *err) {
    return err_set(err, "the disk is full of %s", (const char *)context);
}

static bool die(void *context, Err *err) {
    raise(SIGKILL);
    return true;
}

static void check_fails(Start *start) {
    Aside aside = {0};
    Err err = {0};
    CHECK(start(&aside, refuse, "cats", &err));
    CHECK(aside_look(&aside, true, &err) == ASIDE_FAILED);
    CHECK(strcmp(err.text, "the disk is full of cats") == 0);
    CHECK(aside_look(&aside, true, &err) == ASIDE_NONE);
}

/* A process has no end of a pipe but its own, so a byte cannot reach it. */
static void ends_are_told_once(void) {
    Aside aside = {0};
    Err err = {0};
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK(aside_look(&aside, true, &err) == ASIDE_NONE);
    CHECK(aside_thread(&aside, wait_for_go, &ends[0], &err));
    CHECK(aside_look(&aside, false, &err) == ASIDE_RUNS);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(aside_look(&aside, true, &err) == ASIDE_DONE);
    CHECK(aside_look(&aside, true, &err) == ASIDE_NONE);

    CHECK(aside_fork(&aside, wait_for_go, &ends[0], &err));
    CHECK(aside_look(&aside, true, &err) == ASIDE_FAILED);
    CHECK(strcmp(err.text, "no byte came") == 0);
    close(ends[0]);
    close(ends[1]);
}

static bool has_none(void *context, Err *err) {
    return aside_look(context, true, err) == ASIDE_NONE || err_set(err, "there is one");
}

static void a_copy_of_the_process_has_none(void) {
    Aside first = {0}, second = {0};
    Err err = {0};
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK(aside_thread(&first, wait_for_go, &ends[0], &err));
    CHECK(aside_fork(&second, has_none, &first, &err));
    CHECK(aside_look(&second, true, &err) == ASIDE_DONE);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(aside_look(&first, true, &err) == ASIDE_DONE);
    close(ends[0]);
    close(ends[1]);
}

static void failures_say_why(void) {
    check_fails(aside_thread);
    check_fails(aside_fork);
}

static void a_process_that_is_killed_has_failed(void) {
    Aside aside = {0};
    Err err = {0};
    CHECK(aside_fork(&aside, die, NULL, &err));
    CHECK(aside_look(&aside, true, &err) == ASIDE_FAILED);
    CHECK(strstr(err.text, "ended by signal 9") != NULL);
}

TEST_MAIN(ends_are_told_once, a_copy_of_the_process_has_none, failures_say_why,
          a_process_that_is_killed_has_failed)
