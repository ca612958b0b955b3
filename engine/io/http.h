/* Sending data over HTTP, by libcurl. The library is loaded at the first request, and a
 * program that was built without its header can send nothing.
 *
 *     HttpPost post = {.url = "http://localhost:9000/publish", .body = text,
 *                      .bytes = strlen(text), .connect_seconds = 2, .seconds = 5};
 *     int status;
 *     if (!http_post(&post, &status, &err)) ...     // no answer: err says why
 *     if (status >= 400) ...                        // an answer, but no good one
 *
 * Only http:// and https:// are spoken, redirections are not followed, and what the
 * server answers is dropped. Proxies are taken from the environment, as curl does. */
#ifndef CDL_IO_HTTP_H
#define CDL_IO_HTTP_H
#include <stddef.h>
#include "base/err.h"

typedef struct HttpPost {
    const char *url;
    const char *const *header; /* lines "Name: value", NULL at the end; may be NULL */
    const void *body;
    size_t bytes;
    double connect_seconds, seconds; /* most time to connect; most time for all of it */
    bool (*stop)(void);              /* asked from time to time: give up? may be NULL */
} HttpPost;

bool http_post(const HttpPost *post, int *status, Err *err);
bool http_available(Err *err); /* false: why http_post cannot work here */

#endif
