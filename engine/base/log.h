/* Warnings to standard error: "cdl: warning: ...". The level is the only thing that a
 * user can change (--quiet is not an option; tests switch it off). */
#ifndef CDL_BASE_LOG_H
#define CDL_BASE_LOG_H
#include <stdbool.h>

void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_enable(bool on);

#endif
