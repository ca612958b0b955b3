#include "base/log.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

static atomic_bool silent;

void log_enable(bool on) { atomic_store(&silent, !on); }

void log_warning(const char *format, ...) {
    if (atomic_load(&silent)) return;
    /* Written as one piece, so that lines of several processes do not mix. */
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "cdl: warning: %s\n", text);
}
