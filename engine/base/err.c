#include "base/err.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void write_text(Err *err, const char *where, const char *format,
                       va_list arguments) {
    if (!err || err->set) return;
    err->set = true;
    snprintf(err->where, sizeof err->where, "%s", where ? where : "");
    vsnprintf(err->text, sizeof err->text, format, arguments);
}

bool err_set(Err *err, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_text(err, NULL, format, arguments);
    va_end(arguments);
    return false;
}

bool err_set_at(Err *err, const char *where, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_text(err, where, format, arguments);
    va_end(arguments);
    return false;
}
