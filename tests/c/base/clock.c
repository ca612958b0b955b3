/* Clocks go forward, and the process was started before it reads them. */
#include "base/clock.h"
#include <unistd.h>
#include "test.h"

static void clocks_advance(void) {
    double now = clock_now(), start = clock_since_start();
    usleep(30000); /* the kernel records the start in hundredths of a second */
    CHECK(clock_now() >= now + 0.03);
    CHECK(clock_since_start() > start);
    CHECK(start >= 0);
    CHECK(start < 3600);
}

TEST_MAIN(clocks_advance)
