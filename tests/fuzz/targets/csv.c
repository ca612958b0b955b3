/* With and without a header, with a choice of columns, with blanks between the cells. */
#include "../fuzz.h"
#include "io/csv.h"

const bool fuzz_frees_all = true;

static void read_as(const char *path, const CsvOptions *options) {
    CsvTable table = {0};
    csv_load(path, options, &table, NULL);
    csv_free(&table);
}

void fuzz_file(const char *path) {
    static const CsvColumn columns[] = {{"a", 0}, {NULL, 1}};
    CsvOptions options = csv_defaults;
    read_as(path, &options);
    options.header = CSV_HEADER_NO;
    options.separator = ' ';
    options.skip = 1;
    read_as(path, &options);
    options = csv_defaults;
    options.columns = columns;
    options.n_columns = 2;
    options.refuse_missing = true;
    read_as(path, &options);
}
