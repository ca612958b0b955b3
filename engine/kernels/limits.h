/* What this machine can do at most with all threads of the pool: the measure that profiles
 * and benchmarks set their figures against. */
#ifndef CDL_KERNELS_LIMITS_H
#define CDL_KERNELS_LIMITS_H
#include <stddef.h>

enum { LIMIT_LEVELS = 4 };

typedef struct Limits {
    double flops; /* float32 multiply-adds, two operations each, per second */
    size_t bytes[LIMIT_LEVELS]; /* of all threads together: the smaller level fits ... */
    double copy[LIMIT_LEVELS];  /* ... bytes read and written per second at that size */
} Limits;

/* Measures for about 50 milliseconds; outside of plans' runs. Where memory is short the
 * levels that do not fit have the speed of the last one that did. */
Limits limits_measure(void);
/* Bytes per second for work that touches so many. */
double limits_copy(const Limits *limits, double bytes);

#endif
