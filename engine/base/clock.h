/* Seconds on the monotonic clock, and since this process was started. */
#ifndef CDL_BASE_CLOCK_H
#define CDL_BASE_CLOCK_H

double clock_now(void);
double clock_since_start(void); /* from the kernel's record of the process's start */

#endif
