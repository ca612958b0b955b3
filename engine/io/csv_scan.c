#include "io/csv_scan.h"
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include "base/mem.h"

CsvScan csv_scan(const char *file, const char *text, size_t bytes, char separator) {
    const char *at = text;
    if (bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) at += 3; /* byte order mark */
    return (CsvScan){.file = file,
                     .at = at,
                     .end = text + bytes,
                     .line_start = at,
                     .line = 1,
                     .separator = separator};
}

void csv_scan_free(CsvScan *scan) {
    mem_free(scan->cells);
    scan->cells = NULL;
}

/* Lines end with LF, CR LF or a CR alone. */
static bool at_line_end(const CsvScan *scan) {
    return scan->at == scan->end || *scan->at == '\n' || *scan->at == '\r';
}

static void pass_line_end(CsvScan *scan) {
    bool carriage = scan->at < scan->end && *scan->at == '\r';
    if (scan->at < scan->end) scan->at++;
    if (carriage && scan->at < scan->end && *scan->at == '\n') scan->at++;
    scan->line++;
    scan->line_start = scan->at;
}

void csv_skip_line(CsvScan *scan) {
    while (!at_line_end(scan)) scan->at++;
    pass_line_end(scan);
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static bool at_separator(const CsvScan *scan) {
    if (scan->at == scan->end) return false;
    return scan->separator == ' ' ? is_blank(*scan->at) : *scan->at == scan->separator;
}

/* Blanks around a cell mean nothing, unless they are what separates the cells. */
static void skip_blanks(CsvScan *scan) {
    while (scan->at < scan->end && is_blank(*scan->at) && *scan->at != scan->separator)
        scan->at++;
}

static bool quoted_cell(CsvScan *scan, CsvCell *cell, Err *err) {
    cell->text = ++scan->at;
    for (;; scan->at++) {
        if (scan->at == scan->end)
            return err_set(err, "%s:%" PRId64 ":%" PRId64 ": a quoted cell without end",
                           scan->file, cell->line, cell->place);
        bool line_end = *scan->at == '\n' || (*scan->at == '\r' && scan->at[1] != '\n');
        if (line_end) scan->line++, scan->line_start = scan->at + 1;
        if (*scan->at != '"') continue;
        if (scan->at[1] != '"') break;
        scan->at++;
    }
    cell->size = (size_t)(scan->at - cell->text);
    cell->quoted = true;
    scan->at++;
    skip_blanks(scan);
    if (at_separator(scan) || at_line_end(scan)) return true;
    return err_set(err, "%s:%" PRId64 ":%" PRId64 ": text behind the closing quote",
                   scan->file, scan->line, (int64_t)(scan->at - scan->line_start) + 1);
}

static bool read_cell(CsvScan *scan, CsvCell *cell, Err *err) {
    skip_blanks(scan);
    *cell = (CsvCell){.line = scan->line, .place = scan->at - scan->line_start + 1};
    if (scan->at < scan->end && *scan->at == '"') {
        if (!quoted_cell(scan, cell, err)) return false;
        while (cell->size && is_blank(*cell->text)) cell->text++, cell->size--;
    } else {
        cell->text = scan->at;
        while (!at_separator(scan) && !at_line_end(scan)) scan->at++;
        cell->size = (size_t)(scan->at - cell->text);
    }
    while (cell->size && is_blank(cell->text[cell->size - 1])) cell->size--;
    return true;
}

static bool add_cell(CsvScan *scan, Err *err) {
    if (scan->count == scan->room) {
        int room = scan->room ? 2 * scan->room : 32;
        CsvCell *cells = scan->room > INT_MAX / 2 / (int)sizeof *cells
                             ? NULL
                             : mem_grow(scan->cells, (size_t)room * sizeof *cells);
        if (!cells)
            return err_set(err, "%s:%" PRId64 ": not enough memory for its cells",
                           scan->file, scan->line);
        scan->cells = cells, scan->room = room;
    }
    return read_cell(scan, &scan->cells[scan->count++], err);
}

/* With a real separator there is one cell more than separators; runs of blanks do not
 * count at the ends of a line. */
static bool read_row(CsvScan *scan, Err *err) {
    bool runs = scan->separator == ' ';
    scan->count = 0;
    for (;;) {
        while (runs && at_separator(scan)) scan->at++;
        if (runs && at_line_end(scan)) break;
        if (!add_cell(scan, err)) return false;
        if (!at_separator(scan)) break;
        if (!runs) scan->at++;
    }
    pass_line_end(scan);
    return true;
}

bool csv_next_row(CsvScan *scan, bool *more, Err *err) {
    while (scan->at < scan->end) {
        if (!read_row(scan, err)) return false;
        bool empty = scan->count == 0 ||
                     (scan->count == 1 && !scan->cells[0].size && !scan->cells[0].quoted);
        if (empty) continue;
        *more = true;
        return true;
    }
    *more = false;
    return true;
}
