#define _GNU_SOURCE
#include "io/csv.h"
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "io/csv_scan.h"
#include "io/reader.h"

const CsvOptions csv_defaults = {.separator = ',', .dtype = DTYPE_FLOAT32};

typedef struct Load {
    const CsvOptions *options;
    CsvScan scan;
    locale_t locale; /* "C": a decimal point whatever the user's language */
    CsvTable table;
    int width;  /* cells in every row */
    int *which; /* cell of each column that is wanted */
    int columns;
    char *values;
    size_t count, room; /* of values */
} Load;

bool csv_separator(char c) { return c && strchr(",;\t|: ~^#&!", c) != NULL; }

void csv_free(CsvTable *table) {
    tensor_release(&table->values);
    arena_free(&table->arena);
    *table = (CsvTable){0};
}

static bool no_memory(Load *load, Err *err) {
    return err_set(err, "%s: not enough memory to read it", load->scan.file);
}

static bool is_missing(const CsvCell *cell) {
    static const char *const exact[] = {"NULL", "null", "None"};
    static const char *const any_case[] = {"nan", "na", "n/a"};
    if (cell->size == 0) return true;
    for (int k = 0; k < 3; k++) {
        if (cell->size == strlen(exact[k]) &&
            memcmp(cell->text, exact[k], cell->size) == 0)
            return true;
        if (cell->size == strlen(any_case[k]) &&
            strncasecmp(cell->text, any_case[k], cell->size) == 0)
            return true;
    }
    return false;
}

/* The whole cell must be a decimal number; hexadecimal ones, which strtod knows, are
 * none. */
static bool parse_number(const Load *load, const CsvCell *cell, double *value) {
    char *end;
    if (memchr(cell->text, 'x', cell->size) || memchr(cell->text, 'X', cell->size))
        return false;
    *value = strtod_l(cell->text, &end, load->locale);
    return end == cell->text + cell->size && end > cell->text;
}

static bool bad_cell(const Load *load, const CsvCell *cell, int column, const char *what,
                     Err *err) {
    char text[48], name[96] = "";
    text_printable(cell->text, cell->size, text, sizeof text);
    if (load->table.names)
        text_printable(load->table.names[column], strlen(load->table.names[column]), name,
                       sizeof name);
    return err_set(err, "%s:%" PRId64 ":%" PRId64 ": '%s'%s %s (column %d%s%s%s)",
                   load->scan.file, cell->line, cell->place, text,
                   cell->size >= sizeof text ? "..." : "", what, load->which[column] + 1,
                   *name ? ", '" : "", name, *name ? "'" : "");
}

static bool store_cell(Load *load, const CsvCell *cell, int column, Err *err) {
    DType dtype = load->options->dtype;
    double value = NAN;
    if (is_missing(cell)) {
        if (load->options->refuse_missing)
            return bad_cell(load, cell, column, "is a missing value", err);
    } else if (!parse_number(load, cell, &value)) {
        return bad_cell(load, cell, column, "is not a number", err);
    } else if (dtype == DTYPE_FLOAT32 && isfinite(value) &&
               fabs(value) >= 0x1.ffffffp127) {
        return bad_cell(load, cell, column, "is too large for float32", err);
    }
    dtype_store(dtype, load->values + load->count++ * dtype_size(dtype), value);
    return true;
}

static bool store_row(Load *load, Err *err) {
    size_t columns = (size_t)load->columns, size = dtype_size(load->options->dtype);
    if (load->scan.count != load->width)
        return err_set(err, "%s:%" PRId64 ": this row has %d cells, the first one %d",
                       load->scan.file, load->scan.cells[0].line, load->scan.count,
                       load->width);
    if (load->room - load->count < columns) {
        size_t room = load->room * 2 + 64 * columns;
        char *values =
            room > SIZE_MAX / 4 / size ? NULL : mem_grow(load->values, room * size);
        if (!values) return no_memory(load, err);
        load->values = values, load->room = room;
    }
    for (int k = 0; k < load->columns; k++)
        if (!store_cell(load, &load->scan.cells[load->which[k]], k, err)) return false;
    return true;
}

static bool first_is_header(const Load *load) {
    double value;
    if (load->options->header != CSV_HEADER_AUTO)
        return load->options->header == CSV_HEADER_YES;
    for (int k = 0; k < load->scan.count; k++) {
        const CsvCell *cell = &load->scan.cells[k];
        if (!is_missing(cell) && !parse_number(load, cell, &value)) return true;
    }
    return false;
}

/* A cell's text as a string, its doubled quotes made one. */
static const char *cell_name(Arena *arena, const CsvCell *cell) {
    char *name = arena_alloc(arena, cell->size + 1);
    size_t length = 0;
    for (size_t i = 0; name && i < cell->size; i++) {
        name[length++] = cell->text[i];
        if (cell->text[i] == '"' && i + 1 < cell->size && cell->text[i + 1] == '"') i++;
    }
    return name;
}

static bool find_named(Load *load, const char **names, const char *wanted, int *which,
                       Err *err) {
    int found = -1;
    if (!names)
        return err_set(err,
                       "%s: column '%.80s' is wanted, but the file has no row of names",
                       load->scan.file, wanted);
    for (int k = 0; k < load->width; k++) {
        if (strcmp(names[k], wanted) != 0) continue;
        if (found >= 0)
            return err_set(
                err, "%s: columns %d and %d are both named '%.80s'; choose by number",
                load->scan.file, found + 1, k + 1, wanted);
        found = k;
    }
    if (found < 0) {
        char list[400] = "";
        for (int k = 0;
             k < load->width && strlen(list) + strlen(names[k]) + 8 < sizeof list; k++)
            strcat(strcat(list, k ? ", " : ""), names[k]);
        text_printable(list, strlen(list), list, sizeof list);
        return err_set(err, "%s: has no column '%.80s'; it has %d: %s", load->scan.file,
                       wanted, load->width, list);
    }
    *which = found;
    return true;
}

/* Turns the wanted columns into cell numbers, and keeps their names. */
static bool choose_columns(Load *load, const char **names, Err *err) {
    const CsvOptions *options = load->options;
    load->columns = options->n_columns ? options->n_columns : load->width;
    load->which = mem_alloc((size_t)load->columns * sizeof *load->which);
    if (!load->which) return no_memory(load, err);
    for (int k = 0; k < load->columns; k++) {
        const CsvColumn *column = options->n_columns ? &options->columns[k] : NULL;
        load->which[k] = column ? (int)column->index : k;
        if (column && column->name) {
            if (!find_named(load, names, column->name, &load->which[k], err))
                return false;
        } else if (column && (column->index < 0 || column->index >= load->width)) {
            return err_set(err, "%s: has no column %" PRId64 "; it has %d",
                           load->scan.file, column->index + 1, load->width);
        }
    }
    if (!names) return true;
    load->table.names =
        arena_alloc(&load->table.arena, (size_t)load->columns * sizeof *names);
    if (!load->table.names) return no_memory(load, err);
    for (int k = 0; k < load->columns; k++) load->table.names[k] = names[load->which[k]];
    return true;
}

/* The first row decides the width of the table; it is names or already numbers. */
static bool read_first(Load *load, Err *err) {
    const char **names = NULL;
    bool more;
    for (int64_t k = 0; k < load->options->skip && load->scan.at < load->scan.end; k++)
        csv_skip_line(&load->scan);
    if (!csv_next_row(&load->scan, &more, err)) return false;
    if (!more) return err_set(err, "%s: has no rows", load->scan.file);
    load->width = load->scan.count;
    bool header = first_is_header(load);
    if (header) {
        names = arena_alloc(&load->table.arena, (size_t)load->width * sizeof *names);
        for (int k = 0; names && k < load->width; k++) {
            names[k] = cell_name(&load->table.arena, &load->scan.cells[k]);
            if (!names[k]) names = NULL;
        }
        if (!names) return no_memory(load, err);
    }
    if (!choose_columns(load, names, err)) return false;
    return header || store_row(load, err);
}

static bool read_rows(Load *load, Err *err) {
    bool more = true;
    if (!read_first(load, err)) return false;
    for (;;) {
        if (!csv_next_row(&load->scan, &more, err)) return false;
        if (!more) break;
        if (!store_row(load, err)) return false;
    }
    int64_t rows = (int64_t)(load->count / (size_t)load->columns);
    if (rows == 0)
        return err_set(err, "%s: has no rows below its names", load->scan.file);
    Err inner = {0};
    if (!tensor_new(&load->table.values, load->options->dtype,
                    shape_of(2, rows, (int64_t)load->columns), &inner))
        return err_set(err, "%s: %s", load->scan.file, inner.text);
    memcpy(load->table.values.data, load->values, tensor_bytes(&load->table.values));
    return true;
}

static bool load_text(const char *file, const char *text, size_t bytes,
                      const CsvOptions *options, CsvTable *out, Err *err) {
    const char *zero = memchr(text, '\0', bytes);
    if (zero)
        return err_set(err, "%s: not a text file (byte %zu is zero)", file,
                       (size_t)(zero - text) + 1);
    Load load = {.options = options,
                 .scan = csv_scan(file, text, bytes, options->separator)};
    load.locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    bool ok = load.locale ? read_rows(&load, err) : no_memory(&load, err);
    if (load.locale) freelocale(load.locale);
    csv_scan_free(&load.scan);
    mem_free(load.values);
    mem_free(load.which);
    if (ok)
        *out = load.table;
    else
        csv_free(&load.table);
    return ok;
}

bool csv_load(const char *path, const CsvOptions *options, CsvTable *out, Err *err) {
    Reader reader;
    char *text;
    size_t bytes;
    if (!reader_open(&reader, path, err)) return false;
    bool ok = reader_rest(&reader, &text, &bytes, err);
    reader_close(&reader);
    if (!ok) return false;
    ok = load_text(reader.name, text, bytes, options, out, err);
    mem_free(text);
    return ok;
}
