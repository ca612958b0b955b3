#include "base/clock.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time) != 0) return 0;
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

double clock_now(void) { return seconds_of(CLOCK_MONOTONIC); }

/* Field 22 of /proc/self/stat: the start in clock ticks since boot. The program's name
 * (field 2, in parentheses) may hold anything, so the fields are counted from the last
 * parenthesis. */
static bool process_start(double *seconds) {
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file) return false;
    char line[1024];
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = '\0';
    const char *at = strrchr(line, ')');
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    unsigned long long ticks;
    long ticks_per_second = sysconf(_SC_CLK_TCK);
    if (!at || ticks_per_second <= 0 || sscanf(at, "%llu", &ticks) != 1) return false;
    *seconds = (double)ticks / (double)ticks_per_second;
    return true;
}

double clock_since_start(void) {
    double start;
    /* Without /proc the time spent on the CPU is the best lower bound. */
    if (!process_start(&start)) return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    double since = seconds_of(CLOCK_BOOTTIME) - start;
    return since > 0 ? since : 0;
}
