/* Cuts the text of a table into rows and cells (private to csv). A row's cells point into
 * the text; quotes around a cell are taken off, doubled quotes inside stay as they
 * are. */
#ifndef CDL_IO_CSV_SCAN_H
#define CDL_IO_CSV_SCAN_H
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

typedef struct CsvCell {
    const char *text; /* without blanks at either end */
    size_t size;
    bool quoted;
    int64_t line, place; /* from 1; place counts bytes in the line */
} CsvCell;

typedef struct CsvScan {
    const char *file; /* for messages */
    const char *at, *end, *line_start;
    int64_t line;
    char separator;
    CsvCell *cells; /* of the row that was read last */
    int count, room;
} CsvScan;

/* text ends with a '\0' at text[bytes]. */
CsvScan csv_scan(const char *file, const char *text, size_t bytes, char separator);
void csv_scan_free(CsvScan *scan);
void csv_skip_line(CsvScan *scan);
/* The next row that is not an empty line. *more is false at the end of the text. */
bool csv_next_row(CsvScan *scan, bool *more, Err *err);

#endif
