#include "script/history.h"
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/atomic.h"

enum { PATH_ROOM = 4096 };

/* False when there is no place for it. */
static bool history_path(char *path, size_t room) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int length;
    if (state && state[0] == '/')
        length = snprintf(path, room, "%s/cdl/history", state);
    else if (home && home[0])
        length = snprintf(path, room, "%s/.local/state/cdl/history", home);
    else
        return false;
    return length > 0 && (size_t)length < room;
}

static void make_folders(const char *path) {
    char part[PATH_ROOM];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(part, 0700); /* it may be there already; opening the file tells */
        *slash = '/';
    }
}

/* The start of the last `keep` lines of the text. */
static char *last_lines(char *text, size_t size, long keep, long *lines) {
    *lines = 0;
    for (size_t i = 0; i < size; i++) *lines += text[i] == '\n';
    long skip = *lines - keep;
    char *start = text;
    for (; skip > 0; skip--) start = strchr(start, '\n') + 1;
    return start;
}

/* The file's text with a zero at the end, or NULL. */
static char *read_text(const char *path, size_t *size) {
    FILE *file = fopen(path, "re");
    struct stat about;
    if (!file) return NULL;
    char *text = NULL;
    if (fstat(fileno(file), &about) == 0 && S_ISREG(about.st_mode)) {
        text = mem_alloc((size_t)about.st_size + 1);
    }
    if (text) {
        *size = fread(text, 1, (size_t)about.st_size, file);
        text[*size] = 0;
    }
    fclose(file);
    return text;
}

void history_file_read(void (*each)(void *context, const char *line), void *context) {
    char path[PATH_ROOM];
    size_t size;
    if (!history_path(path, sizeof path)) return;
    char *text = read_text(path, &size);
    if (!text) return;
    size =
        strlen(text); /* a file with a zero in it is no text; what follows is dropped */
    long lines;
    char *start = last_lines(text, size, HISTORY_LINES, &lines);
    Err err = {0}; /* one that stays long is as good */
    if (lines > 2 * HISTORY_LINES) atomic_write(path, start, strlen(start), &err);
    for (char *line = start, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = 0;
        each(context, line);
    }
    mem_free(text);
}

void history_file_add(const char *line) {
    char path[PATH_ROOM];
    if (!history_path(path, sizeof path)) return;
    make_folders(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;
    FILE *file = fdopen(fd, "a");
    if (!file) {
        close(fd);
        return;
    }
    fprintf(file, "%s\n", line);
    fclose(file);
}
