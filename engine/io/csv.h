/* Numbers from a table in text: comma-separated values (RFC 4180) and their kin, plain or
 * gzip-compressed, with a first row of names or without.
 *
 *     CsvOptions options = csv_defaults;
 *     CsvTable table = {0};
 *     if (!csv_load(path, &options, &table, &err)) ...
 *     use(&table.values, table.names);                  // (rows, columns)
 *     csv_free(&table);
 *
 * A cell that is no number is an error with file, line and place in the line. A cell is
 * missing when it is empty or one of NA, N/A, NaN, NULL, null, None (nan and n/a in any
 * case); it becomes NaN or an error. Empty lines are passed over. */
#ifndef CDL_IO_CSV_H
#define CDL_IO_CSV_H
#include "base/arena.h"
#include "tensor/tensor.h"

typedef enum CsvHeader {
    CSV_HEADER_AUTO, /* names, if a cell of the first row is neither number nor missing */
    CSV_HEADER_YES,
    CSV_HEADER_NO
} CsvHeader;

/* A column by its name or, when name is NULL, by its number from 0. */
typedef struct CsvColumn {
    const char *name;
    int64_t index;
} CsvColumn;

typedef struct CsvOptions {
    char separator; /* ' ': any run of blanks separates */
    CsvHeader header;
    int64_t skip; /* lines passed over at the top of the file */
    bool refuse_missing;
    DType dtype;              /* float32 or float64 */
    const CsvColumn *columns; /* which, in this order; n_columns 0: all */
    int n_columns;
} CsvOptions;

extern const CsvOptions csv_defaults;

typedef struct CsvTable {
    Tensor values;      /* (rows, columns) */
    const char **names; /* one per column; NULL: the file has none */
    Arena arena;        /* of the names */
} CsvTable;

/* Whether a character can be a separator: it must not be able to stand in a number. */
bool csv_separator(char c);
bool csv_load(const char *path, const CsvOptions *options, CsvTable *out, Err *err);
void csv_free(CsvTable *table);

#endif
