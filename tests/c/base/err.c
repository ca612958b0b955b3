/* Errors stay as they were first set; warnings go to standard error or nowhere. */
#include "base/err.h"
#include <unistd.h>
#include "base/log.h"
#include "test.h"

static void first_error_stays(void) {
    Err err = {0};
    CHECK(!err_set(&err, "%d is not %s", 3, "four"));
    CHECK(err.set);
    CHECK(strcmp(err.text, "3 is not four") == 0);
    CHECK(err.where[0] == '\0');
    CHECK(!err_set_at(&err, "a.lua:7", "later"));
    CHECK(strcmp(err.text, "3 is not four") == 0);
    CHECK(err.where[0] == '\0');
}

static void place_is_kept(void) {
    Err err = {0};
    CHECK(!err_set_at(&err, "model.lua:12", "wrong size %d", 5));
    CHECK(strcmp(err.where, "model.lua:12") == 0);
    CHECK(strcmp(err.text, "wrong size 5") == 0);
    Err nowhere = {0};
    CHECK(!err_set_at(&nowhere, NULL, "x"));
    CHECK(nowhere.set && nowhere.where[0] == '\0');
}

static void long_text_is_cut(void) {
    Err err = {0};
    CHECK(!err_set(&err, "%*d", 5 * ERR_TEXT, 1));
    CHECK(strlen(err.text) == ERR_TEXT - 1);
    CHECK(!err_set(NULL, "nobody listens"));
}

/* What log_warning writes while standard error is a temporary file. */
static void written(bool on, char *text, size_t bytes) {
    fflush(stderr);
    int before = dup(STDERR_FILENO);
    FILE *file = tmpfile();
    dup2(fileno(file), STDERR_FILENO);
    log_enable(on);
    log_warning("%d shapes", 16);
    log_enable(true);
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    rewind(file);
    text[fread(text, 1, bytes - 1, file)] = '\0';
    fclose(file);
}

static void warnings_can_be_silenced(void) {
    char text[100];
    written(true, text, sizeof text);
    CHECK(strcmp(text, "cdl: warning: 16 shapes\n") == 0);
    written(false, text, sizeof text);
    CHECK(text[0] == '\0');
}

TEST_MAIN(first_error_stays, place_is_kept, long_text_is_cut, warnings_can_be_silenced)
