/* The C tests' few words. A test program is a list of functions run by TEST_MAIN; it prints
 * what failed and exits with 1.
 *
 *     static void adds(void) { CHECK(1 + 1 == 2); CHECK_NEAR(0.1 + 0.2, 0.3, 1e-12); }
 *     TEST_MAIN(adds)                                                                    */
#ifndef CDL_TESTS_TEST_H
#define CDL_TESTS_TEST_H
#include <math.h>
#include <stdio.h>
#include <string.h>

static int test_checks, test_failures;

#define CHECK(condition)                                                                 \
    do {                                                                                 \
        test_checks++;                                                                   \
        if (!(condition)) {                                                              \
            test_failures++;                                                             \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);      \
        }                                                                                \
    } while (0)
#define CHECK_NEAR(got, want, tolerance)                                                 \
    do {                                                                                 \
        double got_ = (got), want_ = (want);                                             \
        test_checks++;                                                                   \
        if (!(fabs(got_ - want_) <= (tolerance)*fmax(1, fabs(want_)))) {                 \
            test_failures++;                                                             \
            fprintf(stderr, "%s:%d: %s is %.9g, wanted %.9g\n", __FILE__, __LINE__,      \
                    #got, got_, want_);                                                  \
        }                                                                                \
    } while (0)
#define CHECK_TEXT(got, want)                                                            \
    do {                                                                                 \
        const char *got_ = (got);                                                        \
        test_checks++;                                                                   \
        if (!got_ || !strstr(got_, want)) {                                              \
            test_failures++;                                                             \
            fprintf(stderr, "%s:%d: \"%s\" has no \"%s\"\n", __FILE__, __LINE__,         \
                    got_ ? got_ : "(null)", want);                                       \
        }                                                                                \
    } while (0)
#define TEST_MAIN(...)                                                                   \
    int main(void) {                                                                     \
        void (*const tests[])(void) = {__VA_ARGS__};                                     \
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) tests[i]();            \
        printf("%d checks, %d failed\n", test_checks, test_failures);                    \
        return test_failures || !test_checks;                                            \
    }

#endif
