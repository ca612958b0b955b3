/* Errors. What can fail returns false or NULL and takes an Err* as its last argument.
 *
 *     Err err = {0};
 *     if (!tensor_new(&t, DTYPE_FLOAT32, shape, &err)) return report(err.text);
 *
 * The first error stays: a later err_set on a set Err changes nothing, so a chain of
 * calls may be checked once at its end. On failure a function leaves its outputs
 * untouched. err may be NULL where the caller does not want the text. */
#ifndef CDL_BASE_ERR_H
#define CDL_BASE_ERR_H
#include <stdbool.h>

enum { ERR_TEXT = 1024 };

typedef struct Err {
    bool set;
    char where[256]; /* "file:line" of the user's script when known, else empty */
    char text[ERR_TEXT];
} Err;

/* Writes the text (printf format, cut at ERR_TEXT) unless an error is already there.
 * Always returns false, so `return err_set(err, ...)` reads well. */
bool err_set(Err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, and names the script line that is to blame. */
bool err_set_at(Err *err, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
