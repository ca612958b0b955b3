#include "io/csv.h"
#include <locale.h>
#include "io/scratch.h"
#include "test.h"

/* Loads a text; the table is checked for its size and its elements, NaN being equal to
 * NaN. */
static CsvTable check_table(const char *text, const CsvOptions *options, int64_t rows,
                            int64_t columns, const double *want) {
    Err err = {0};
    CsvTable table = {0};
    CHECK(csv_load(scratch_text("t.csv", text), options, &table, &err));
    if (err.set) fprintf(stderr, "%s\n", err.text);
    if (!table.values.buffer) return table;
    CHECK(table.values.shape.ndim == 2);
    CHECK(table.values.shape.dim[0] == rows && table.values.shape.dim[1] == columns);
    for (int64_t i = 0; i < rows * columns && i < tensor_size(&table.values); i++) {
        double got = at(&table.values, i);
        CHECK(got == want[i] || (isnan(got) && isnan(want[i])));
    }
    return table;
}

static void check_plain(const char *text, const CsvOptions *options, int64_t rows,
                        int64_t columns, const double *want) {
    CsvTable table = check_table(text, options, rows, columns, want);
    csv_free(&table);
}

static void check_refused(const char *text, const CsvOptions *options,
                          const char *message) {
    Err err = {0};
    CsvTable table = {0};
    CHECK(!csv_load(scratch_text("t.csv", text), options, &table, &err));
    CHECK(!table.values.buffer && !table.names);
    CHECK_TEXT(err.text, "t.csv");
    CHECK_TEXT(err.text, message);
}

static void names_and_numbers(void) {
    const double want[] = {1, 2.5, -3e2, 4};
    CsvTable table = check_table("a,b c\n1,2.5\n-3e2, 4 \n", &csv_defaults, 2, 2, want);
    CHECK(table.names && strcmp(table.names[0], "a") == 0 &&
          strcmp(table.names[1], "b c") == 0);
    CHECK(table.values.dtype == DTYPE_FLOAT32);
    csv_free(&table);
    table = check_table("1,2.5\n-3e2,4", &csv_defaults, 2, 2, want);
    CHECK(!table.names);
    csv_free(&table);
}

static void line_ends_and_empty_lines(void) {
    const double want[] = {1, 2, 3, 4};
    check_plain("\xEF\xBB\xBFx,y\r\n1,2\r\n\r\n3,4\r\n", &csv_defaults, 2, 2, want);
    check_plain("\n\n1,2\r3,4\r", &csv_defaults, 2, 2, want);
    check_plain("1,2\n  \n3,4\n\n\n", &csv_defaults, 2, 2, want);
}

static void quotes(void) {
    const double want[] = {1, 2};
    const char *text = "\"say \"\"x\"\"\", \"two\nlines\"\n\"1\",\" 2 \"\n";
    CsvTable table = check_table(text, &csv_defaults, 1, 2, want);
    CHECK(table.names && strcmp(table.names[0], "say \"x\"") == 0);
    CHECK(table.names && strcmp(table.names[1], "two\nlines") == 0);
    csv_free(&table);
    check_refused("a,b\n1,\"2\n", &csv_defaults, "t.csv:2:3: a quoted cell without end");
    check_refused("a,b\n\"1\"x,2\n", &csv_defaults,
                  "t.csv:2:4: text behind the closing quote");
    check_refused("\"a\nb\",c\n1,x\n", &csv_defaults, "t.csv:3:3: 'x' is not a number");
}

static void missing_values(void) {
    CsvOptions refuse = csv_defaults;
    refuse.refuse_missing = true;
    const double want[] = {NAN, 1, 2, NAN, NAN, NAN, NAN, NAN};
    check_plain("a,b\n,1\n2,\nNA,nan\nn/a,NULL\n", &csv_defaults, 4, 2, want);
    check_refused("a,b\n1,2\n3,\n", &refuse,
                  "t.csv:3:3: '' is a missing value (column 2, 'b')");
    const double one[] = {NAN, 3};
    CsvOptions header = csv_defaults;
    header.header = CSV_HEADER_YES;
    check_plain("a\n\"\"\n3\n", &header, 2, 1, one);
}

static void separators(void) {
    const double want[] = {1, 2, 3, 4};
    CsvOptions options = csv_defaults;
    options.separator = ';';
    check_plain("1;2\n3;4\n", &options, 2, 2, want);
    options.separator = '\t';
    check_plain("a\tb\n1\t2\n3\t 4\n", &options, 2, 2, want);
    options.separator = ' ';
    check_plain("  1 \t 2 \n3    4\n", &options, 2, 2, want);
    CHECK(csv_separator(',') && csv_separator(' ') && csv_separator('|'));
    CHECK(!csv_separator('1') && !csv_separator('.') && !csv_separator('e') &&
          !csv_separator(0));
}

static void columns_and_skipped_lines(void) {
    const double want[] = {3, 1, 6, 4};
    CsvColumn chosen[] = {{"c", 0}, {NULL, 0}};
    CsvOptions options = csv_defaults;
    options.columns = chosen, options.n_columns = 2, options.skip = 2;
    CsvTable table = check_table("made by hand\nunits: m, \"\na,b,c\n1,x,3\n4,y,6\n",
                                 &options, 2, 2, want);
    CHECK(table.names && !strcmp(table.names[0], "c") && !strcmp(table.names[1], "a"));
    csv_free(&table);
    options.skip = 0;
    check_refused("a,b\n1,2\n", &options, "has no column 'c'; it has 2: a, b");
    check_refused("1,2\n", &options,
                  "column 'c' is wanted, but the file has no row of names");
    check_refused("c,c\n1,2\n", &options, "columns 1 and 2 are both named 'c'");
    chosen[0] = (CsvColumn){NULL, 2};
    check_refused("a,b\n1,2\n", &options, "has no column 3; it has 2");
}

static void header_is_found(void) {
    const double numbers[] = {2001, 2002, 1, 2}, below[] = {1, 2};
    CsvOptions options = csv_defaults;
    check_plain("2001,2002\n1,2\n", &options, 2, 2, numbers);
    options.header = CSV_HEADER_YES;
    check_plain("2001,2002\n1,2\n", &options, 1, 2, below);
    options.header = CSV_HEADER_NO;
    check_refused("a,b\n1,2\n", &options, "t.csv:1:1: 'a' is not a number (column 1)");
}

static void bad_cells(void) {
    check_refused("a,wind\n1,2\n3,NW\n", &csv_defaults,
                  "t.csv:3:3: 'NW' is not a number (column 2, 'wind')");
    check_refused("a\n0x10\n", &csv_defaults, "t.csv:2:1: '0x10' is not a number");
    check_refused("a\n1 2\n", &csv_defaults, "'1 2' is not a number");
    check_refused("a\n1e39\n", &csv_defaults, "'1e39' is too large for float32");
    check_refused("a,b\n1,2\n1\n", &csv_defaults,
                  "t.csv:3: this row has 1 cells, the first one 2");
    check_refused("a,b\n1,2,3\n", &csv_defaults,
                  "t.csv:2: this row has 3 cells, the first one 2");
    check_refused("", &csv_defaults, "has no rows");
    check_refused("a,b\n", &csv_defaults, "has no rows below its names");
    CsvOptions wide = csv_defaults;
    const double want[] = {1e39, INFINITY};
    wide.dtype = DTYPE_FLOAT64;
    check_plain("1e39,inf\n", &wide, 1, 2, want);
    Err err = {0};
    CsvTable table = {0};
    CHECK(!csv_load(scratch_write("bin.csv", "1,2\n\0", 5), &csv_defaults, &table, &err));
    CHECK_TEXT(err.text, "not a text file (byte 5 is zero)");
}

static void numbers_do_not_follow_the_locale(void) {
    const double want[] = {1.5};
    /* Where no such locale is installed the check is of the "C" one alone. */
    setlocale(LC_NUMERIC, "de_DE.UTF-8");
    check_plain("1.5\n", &csv_defaults, 1, 1, want);
    setlocale(LC_NUMERIC, "C");
}

static void many_rows(void) {
    size_t room = 200000, size = 0;
    char *text = mem_alloc(room);
    double sum = 0;
    for (int i = 0; i < 10000; i++)
        size += (size_t)sprintf(text + size, "%d,%d\n", i, -i);
    Err err = {0};
    CsvTable table = {0};
    CHECK(csv_load(scratch_write("many.csv", text, size), &csv_defaults, &table, &err));
    CHECK(table.values.shape.dim[0] == 10000 && at(&table.values, 19999) == -9999);
    for (int64_t i = 0; i < tensor_size(&table.values); i += 2)
        sum += at(&table.values, i);
    CHECK(sum == 49995000);
    csv_free(&table);
    mem_free(text);
}

static void memory_failures_leave_nothing(void) {
    const char *path = scratch_text("m.csv", "a,b\n1,2\n3,4\n");
    int failed = 0;
    tensor_trim();
    for (int n = 1; n < 40; n++) {
        Err err = {0};
        CsvTable table = {0};
        size_t bytes = mem_bytes();
        mem_fail_at(n);
        bool ok = csv_load(path, &csv_defaults, &table, &err);
        mem_fail_at(0);
        CHECK(ok != err.set && ok == (table.names != NULL));
        csv_free(&table);
        tensor_trim();
        CHECK(mem_bytes() == bytes);
        if (ok) break;
        failed++;
    }
    CHECK(failed >= 5);
}

TEST_MAIN(names_and_numbers, line_ends_and_empty_lines, quotes, missing_values,
          separators, columns_and_skipped_lines, header_is_found, bad_cells,
          numbers_do_not_follow_the_locale, many_rows, memory_failures_leave_nothing)
