#include "script/repl.h"
#include <dirent.h>
#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <unistd.h>
#include <wchar.h>
#include <lauxlib.h>
#include "script/history.h"
#include "script/signals.h"

#define EDITOR_META "cdl.editor"

/* One editor in a state, kept in the registry under EDITOR_META. */
typedef struct Editor {
    lua_State *L;
    EditLine *edit; /* NULL: standard input is no terminal */
    History *history;
    char prompt[64];
    sigset_t
        waiting; /* the signal mask outside of a line, and while it waits for a key */
} Editor;

/* ---- libedit's side ---- */

static char *get_prompt(EditLine *edit) {
    Editor *editor;
    el_get(edit, EL_CLIENTDATA, &editor);
    return editor->prompt;
}

/* While a line is edited, SIGINT and SIGTERM come only here, so that one that arrives
 * between two keys is not noticed a key too late. pselect alone would prefer keys that
 * are there to signals that came before them. False: a signal has come. */
static bool wait_for_key(const Editor *editor) {
    for (;;) {
        sigset_t editing;
        fd_set input;
        FD_ZERO(&input);
        FD_SET(STDIN_FILENO, &input);
        sigprocmask(SIG_SETMASK, &editor->waiting, &editing);
        sigprocmask(SIG_SETMASK, &editing, NULL);
        if (signals_pending()) return false;
        int ready = pselect(STDIN_FILENO + 1, &input, NULL, NULL, NULL, &editor->waiting);
        if (ready > 0 || errno != EINTR) return true;
    }
}

/* Reads one character of any number of bytes; 0 at the end of input, -1 after a signal.
 */
static int read_character(EditLine *edit, wchar_t *character) {
    Editor *editor;
    el_get(edit, EL_CLIENTDATA, &editor);
    mbstate_t shift = {0};
    for (;;) {
        char byte;
        if (!wait_for_key(editor)) return -1;
        ssize_t got = read(STDIN_FILENO, &byte, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return (int)got;
        size_t used = mbrtowc(character, &byte, 1, &shift);
        if (used == (size_t)-2) continue; /* more bytes belong to it */
        if (used == (size_t)-1) {
            memset(&shift, 0, sizeof shift); /* not a character of this locale: skipped */
            continue;
        }
        return 1;
    }
}

static int terminal_columns(void) {
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

/* Prints the candidates (a list at the top of the stack) in columns. */
static void print_candidates(lua_State *L) {
    lua_Integer count = luaL_len(L, -1);
    size_t widest = 0;
    for (lua_Integer i = 1; i <= count; i++) {
        size_t size;
        lua_geti(L, -1, i);
        if (lua_tolstring(L, -1, &size) && size > widest) widest = size;
        lua_pop(L, 1);
    }
    int columns = terminal_columns() / (int)(widest + 2);
    if (columns < 1) columns = 1;
    for (lua_Integer i = 1; i <= count; i++) {
        lua_geti(L, -1, i);
        if ((i - 1) % columns == 0) fputc('\n', stdout);
        printf("%-*s", (int)widest + 2, lua_tostring(L, -1) ? lua_tostring(L, -1) : "");
        lua_pop(L, 1);
    }
    fputc('\n', stdout);
    fflush(stdout);
}

/* Tab. Asks the Lua function (the editor's user value) about the text before the cursor.
 */
static unsigned char complete(EditLine *edit, int key) {
    (void)key;
    Editor *editor;
    el_get(edit, EL_CLIENTDATA, &editor);
    lua_State *L = editor->L;
    int top = lua_gettop(L);
    unsigned char result = CC_REFRESH_BEEP;
    if (!lua_checkstack(L, 8)) return CC_ERROR;
    lua_getfield(L, LUA_REGISTRYINDEX, EDITOR_META);
    lua_getiuservalue(L, -1, 1);
    const LineInfo *line = el_line(edit);
    lua_pushlstring(L, line->buffer, (size_t)(line->cursor - line->buffer));
    /* An error in there (a computed field that raises, say) means: nothing to offer. */
    if (lua_pcall(L, 1, 2, 0) == LUA_OK && lua_isstring(L, -2)) {
        const char *insert = lua_tostring(L, -2);
        if (insert[0]) {
            if (el_insertstr(edit, insert) == 0) result = CC_REFRESH;
        } else if (lua_istable(L, -1) && luaL_len(L, -1) > 0) {
            print_candidates(L);
            result = CC_REDISPLAY;
        }
    }
    lua_settop(L, top);
    return result;
}

static void close_editor(Editor *editor) {
    if (editor->edit) el_end(editor->edit);
    if (editor->history) history_end(editor->history);
    editor->edit = NULL;
    editor->history = NULL;
}

static void add_to_history(void *context, const char *line) {
    HistEvent event;
    history(context, &event, H_ENTER, line);
}

/* Without libedit (no terminal, no memory) the editor reads plain lines. */
static void start_libedit(Editor *editor) {
    HistEvent event;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) return;
    setlocale(LC_CTYPE, ""); /* so that libedit knows the terminal's encoding */
    editor->history = history_init();
    editor->edit = el_init("cdl", stdin, stdout, stderr);
    if (!editor->history || !editor->edit) {
        close_editor(editor);
        return;
    }
    history(editor->history, &event, H_SETSIZE, HISTORY_LINES);
    history(editor->history, &event, H_SETUNIQUE, 1);
    history_file_read(add_to_history, editor->history);
    EditLine *edit = editor->edit;
    el_set(edit, EL_CLIENTDATA, editor);
    el_set(edit, EL_SIGNAL, 0);
    el_set(edit, EL_EDITOR, "emacs");
    el_set(edit, EL_PROMPT, get_prompt);
    el_set(edit, EL_HIST, history, editor->history);
    el_set(edit, EL_GETCFN, read_character);
    el_set(edit, EL_ADDFN, "cdl-complete", "complete a Lua expression", complete);
    el_set(edit, EL_BIND, "^I", "cdl-complete", NULL);
    el_set(edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_source(edit, NULL);
}

/* ---- Lua's side ---- */

static Editor *get_editor(lua_State *L) {
    if (lua_getfield(L, LUA_REGISTRYINDEX, EDITOR_META) != LUA_TUSERDATA) {
        luaL_error(L, "the editor is not open");
    }
    Editor *editor = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return editor;
}

static int editor_gc(lua_State *L) {
    close_editor(lua_touserdata(L, 1));
    return 0;
}

static int editor_open(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    Editor *editor = lua_newuserdatauv(L, sizeof *editor, 1);
    memset(editor, 0, sizeof *editor);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, editor_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, EDITOR_META);
    start_libedit(editor);
    return 0;
}

static int editor_close(lua_State *L) {
    close_editor(get_editor(L));
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, EDITOR_META);
    return 0;
}

/* Pushes the line without its end, or pushes nothing and returns false. */
static bool push_line(lua_State *L, const char *line, long length) {
    if (!line || length <= 0) return false;
    if (line[length - 1] == '\n') length--;
    lua_pushlstring(L, line, (size_t)length);
    return true;
}

static const char *edit_line(Editor *editor, int *length) {
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigprocmask(SIG_BLOCK, &held, &editor->waiting);
    el_resize(editor->edit); /* the window may have changed since the last line */
    /* libedit takes the terminal over only after it has shown the prompt, and what is
     * typed in between would be lost (Ctrl-D) or shown twice. */
    el_set(editor->edit, EL_PREP_TERM, 1);
    const char *line = el_gets(editor->edit, length);
    sigprocmask(SIG_SETMASK, &editor->waiting, NULL);
    return line;
}

static bool read_line(lua_State *L, Editor *editor) {
    if (editor->edit) {
        int length = 0;
        const char *line = edit_line(editor, &length);
        return push_line(L, line, length);
    }
    char *line = NULL;
    size_t room = 0;
    ssize_t length = getline(&line, &room, stdin);
    bool got = push_line(L, line, length);
    if (length < 0 && !feof(stdin)) clearerr(stdin);
    free(line);
    return got;
}

static int editor_read(lua_State *L) {
    const char *prompt = luaL_checkstring(L, 1);
    Editor *editor = get_editor(L);
    editor->L = L;
    snprintf(editor->prompt, sizeof editor->prompt, "%s", prompt);
    fflush(stdout);
    signals_enter_prompt();
    bool got = read_line(L, editor);
    int signal = signals_pending();
    if (signal != SIGTERM) signals_clear();
    signals_leave_prompt();
    if (got && !signal) return 1;
    const char *reason = signal == SIGTERM ? "terminated"
                         : signal          ? "interrupted"
                                           : "eof";
    if (editor->edit) fputs(signal ? "^C\n" : "\n", stdout);
    lua_pushnil(L);
    lua_pushstring(L, reason);
    return 2;
}

static int editor_remember(lua_State *L) {
    const char *line = luaL_checkstring(L, 1);
    Editor *editor = get_editor(L);
    if (!editor->history) return 0;
    add_to_history(editor->history, line);
    history_file_add(line);
    return 0;
}

static int editor_clear_signals(lua_State *L) {
    lua_pushboolean(L, signals_pending() == SIGINT);
    if (signals_pending() != SIGTERM) signals_clear();
    return 1;
}

/* The names in a folder, folders with a '/' at the end; an empty list if it cannot be
 * read. */
static int editor_folder(lua_State *L) {
    DIR *folder = opendir(luaL_checkstring(L, 1));
    lua_newtable(L);
    if (!folder) return 1;
    lua_Integer count = 0;
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        lua_pushfstring(L, entry->d_type == DT_DIR ? "%s/" : "%s", entry->d_name);
        lua_seti(L, -2, ++count);
    }
    closedir(folder);
    return 1;
}

int repl_open_editor(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"open", editor_open},
        {"read", editor_read},
        {"remember", editor_remember},
        {"close", editor_close},
        {"clear_signals", editor_clear_signals},
        {"folder", editor_folder},
        {NULL, NULL},
    };
    luaL_newlib(L, functions);
    return 1;
}
