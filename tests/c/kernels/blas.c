/* Odd libraries in OpenBLAS's place: they are used when they compute what they should, and
 * done without else. */
#include "kernels/blas.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

/* Whether a process with that environment has a library, and what its description is. The
 * library is looked for once in a process, hence the children. */
static bool found(const char *library, const char *odd, char description[512]) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        char text[512] = "";
        setenv("CDL_BLAS", library, 1);
        setenv("ODD_BLAS", odd, 1);
        bool present = blas_get() != NULL;
        blas_description(text, sizeof text);
        bool told = write(ends[1], text, sizeof text) == sizeof text;
        _exit(told ? present : 2);
    }
    close(ends[1]);
    int status = 0;
    CHECK(read(ends[0], description, 512) == 512);
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    CHECK(WEXITSTATUS(status) < 2);
    close(ends[0]);
    return WEXITSTATUS(status) == 1;
}

static void what_computes_is_used(void) {
    char text[512];
    CHECK(found(ODD_BLAS, "", text));
    CHECK(strstr(text, "0.3.99") == text && strstr(text, "odd_blas"));
}

static void what_is_odd_is_done_without(void) {
    static const struct {
        const char *library, *odd;
    } cases[] = {{ODD_BLAS, "wrong"}, {ODD_BLAS, "wide"}, {"libm.so.6", ""},
                 {"/", ""},           {"/absent.so", ""}, {"none", ""}};
    char text[512];
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        CHECK(!found(cases[k].library, cases[k].odd, text));
        CHECK(!strcmp(text, "none"));
    }
}

TEST_MAIN(what_computes_is_used, what_is_odd_is_done_without)
