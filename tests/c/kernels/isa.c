/* The choice of the instruction set, and which of several faults stays. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/log.h"
#include "trial.h"

/* What a process that is started with CDL_ISA=value chooses. Runs before anything else
 * here has asked, since the choice is made once. */
static Isa chosen_with(const char *value) {
    pid_t child = fork();
    if (child == 0) {
        log_enable(false);
        setenv("CDL_ISA", value, 1);
        _exit(isa_get());
    }
    int status = 0;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    return (Isa)WEXITSTATUS(status);
}

static void environment(void) {
    Isa best = chosen_with("");
    CHECK(isa_supported(best));
    for (Isa isa = ISA_BASE; isa < ISA_COUNT; isa++)
        CHECK(isa <= best || !isa_supported(isa));
    CHECK(chosen_with("base") == ISA_BASE);
    CHECK(chosen_with("avx2") == (isa_supported(ISA_AVX2) ? ISA_AVX2 : best));
    CHECK(chosen_with("avx512") == (isa_supported(ISA_AVX512) ? ISA_AVX512 : best));
    CHECK(chosen_with("sse9") == best);
}

static void choice(void) {
    CHECK(isa_supported(ISA_BASE));
    CHECK(isa_supported(isa_get()));
    CHECK(isa_get() == isa_get());
    CHECK_TEXT(isa_name(ISA_BASE), "baseline");
    CHECK_TEXT(isa_name(ISA_AVX2), "AVX2");
    CHECK_TEXT(isa_name(ISA_AVX512), "AVX-512");
    if (isa_supported(ISA_AVX512)) CHECK(isa_supported(ISA_AVX2));
}

static void lowest_fault(void) {
    Fault fault = FAULT_NONE;
    CHECK(!fault.set);
    fault_set(&fault, 7, "element %d", 7);
    fault_set(&fault, 9, "element %d", 9);
    CHECK_TEXT(fault.text, "element 7");
    fault_set(&fault, 3, "element %d", 3);
    fault_set(&fault, 3, "again %d", 3);
    CHECK_TEXT(fault.text, "element 3");
    CHECK(fault.set && fault.position == 3);
    fault_set(NULL, 0, "nobody asks");
}

static void *report_many(void *context) {
    for (int i = 1000; i > 0; i--) fault_set(context, i, "element %d", i);
    return NULL;
}

static void many_threads(void) {
    Fault fault = FAULT_NONE;
    pthread_t threads[4];
    for (int k = 0; k < 4; k++)
        CHECK(!pthread_create(&threads[k], NULL, report_many, &fault));
    for (int k = 0; k < 4; k++) pthread_join(threads[k], NULL);
    CHECK(fault.position == 1);
    CHECK(!strcmp(fault.text, "element 1"));
}

TEST_MAIN(environment, choice, lowest_fault, many_threads)
