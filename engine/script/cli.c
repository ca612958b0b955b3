#include "script/cli.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/pool.h"
#include "io/http.h"
#include "kernels/blas.h"
#include "kernels/isa.h"
#include "script/repl.h"
#include "script/script.h"
#include "script/signals.h"
#include "script/value.h"

enum { STATUS_SCRIPT = 1, STATUS_USAGE = 2 };

/* -e CODE or -l MODULE; they run in the order in which they were given. */
typedef struct Piece {
    char kind; /* 'e' or 'l' */
    const char *text;
} Piece;

typedef struct Options {
    bool help, version, interactive, seeded, threaded;
    bool code; /* there is a -e */
    long threads;
    long long seed;
    Piece *pieces;
    int n_pieces;
    int script; /* index in argv; argc: none */
} Options;

static const char help_text[] =
    "usage: cdl [options] [script.lua [args]]\n"
    "Trains neural networks that Lua scripts define. Without a script: the prompt, or, "
    "when\n"
    "standard input is not a terminal, the script is read from there (as with '-').\n"
    "\n"
    "  -e CODE      run Lua code; may be repeated, the pieces share their globals\n"
    "  -l MODULE    require a module into a global of its name\n"
    "  -i           open the prompt after the script\n"
    "  --threads N  use N threads, 1 to 256 (default: the CPUs that the process may "
    "use)\n"
    "  --seed N     seed of all random numbers\n"
    "  --version    print the version and what it runs on\n"
    "  --help       print this\n"
    "  --           end of the options\n"
    "\n"
    "cdl verify-resume script.lua [args]: kills the script at random places, starts it "
    "again,\n"
    "and tells whether it ends as without; cdl verify-resume --help tells more.\n"
    "cdl board FOLDER: shows runs in TensorBoard.\n"
    "cdl plot FILE.csv|FOLDER: draws their curves in the terminal or as a picture; cdl "
    "plot\n"
    "--help tells more.\n"
    "\n"
    "Environment: CDL_ISA=base, avx2 or avx512 takes the kernels for such a CPU "
    "(default: the\n"
    "best that this one has). CDL_BLAS names an OpenBLAS, or none; CDL_DATA a folder "
    "with\n"
    "data sets. NO_COLOR turns colours off.\n"
    "\n"
    "Exit status: 0; 1 script error; 2 bad usage; 130 interrupted; 143 terminated;\n"
    "141 when nobody reads the output any more.\n";

/* ---- reading the options ---- */

static bool usage(const char *option, const char *reason, const char *given) {
    fprintf(stderr, "cdl: %s: %s", option, reason);
    if (given) fprintf(stderr, ", got '%s'", given);
    fputs("\ntry cdl --help\n", stderr);
    return false;
}

static bool read_number(const char *text, long long least, long long most,
                        long long *number) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || value < least || value > most) return false;
    *number = value;
    return true;
}

static bool read_threads(Options *options, const char *value) {
    long long number;
    if (!read_number(value, 1, POOL_MAX, &number)) {
        char reason[64];
        snprintf(reason, sizeof reason, "wanted a whole number from 1 to %d", POOL_MAX);
        return usage("--threads", reason, value);
    }
    options->threaded = true;
    options->threads = (long)number;
    return true;
}

static bool read_seed(Options *options, const char *value) {
    if (!read_number(value, 0, LLONG_MAX, &options->seed)) {
        return usage("--seed", "wanted a whole number, not negative", value);
    }
    options->seeded = true;
    return true;
}

/* The value of an option at argv[*at]: after '=' or, in the same argument for one-letter
 * options, after the letter, or the next argument. NULL: there is none. */
static const char *option_value(int argc, char **argv, int *at, size_t name_length) {
    const char *rest = argv[*at] + name_length;
    if (*rest == '=' && name_length > 2) return rest + 1;
    if (*rest) return rest;
    if (*at + 1 >= argc) return NULL;
    return argv[++*at];
}

static bool is_long(const char *option, const char *name) {
    size_t length = strlen(name);
    return strncmp(option, name, length) == 0 &&
           (option[length] == 0 || option[length] == '=');
}

static bool read_number_option(Options *options, int argc, char **argv, int *at) {
    bool threads = is_long(argv[*at], "--threads");
    const char *name = threads ? "--threads" : "--seed";
    const char *value = option_value(argc, argv, at, strlen(name));
    if (!value) return usage(name, "a number is missing", NULL);
    return threads ? read_threads(options, value) : read_seed(options, value);
}

static bool read_piece(Options *options, int argc, char **argv, int *at) {
    const char *option = argv[*at];
    char kind = option[1];
    const char *text = option_value(argc, argv, at, 2);
    if (!text) {
        const char *reason =
            kind == 'e' ? "the code is missing" : "the module is missing";
        return usage(option, reason, NULL);
    }
    options->pieces[options->n_pieces++] = (Piece){kind, text};
    options->code |= kind == 'e';
    return true;
}

static bool read_option(Options *options, int argc, char **argv, int *at) {
    const char *option = argv[*at];
    if (is_long(option, "--threads") || is_long(option, "--seed")) {
        return read_number_option(options, argc, argv, at);
    }
    if (option[1] == 'e' || option[1] == 'l') return read_piece(options, argc, argv, at);
    if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0)
        options->help = true;
    else if (strcmp(option, "--version") == 0)
        options->version = true;
    else if (strcmp(option, "-i") == 0)
        options->interactive = true;
    else
        return usage(option, "unknown option", NULL);
    return true;
}

static bool read_options(Options *options, int argc, char **argv) {
    int at = 1;
    for (; at < argc; at++) {
        if (argv[at][0] != '-' || strcmp(argv[at], "-") == 0) break;
        if (strcmp(argv[at], "--") == 0) {
            at++;
            break;
        }
        if (!read_option(options, argc, argv, &at)) return false;
    }
    options->script = at;
    return true;
}

static void print_version(void) {
    char blas[256];
    const char *lua = LUA_VERSION_MAJOR "." LUA_VERSION_MINOR "." LUA_VERSION_RELEASE;
    blas_description(blas, sizeof blas);
    printf("cdl %s\n"
           "  Lua       %s\n"
           "  kernels   %s\n"
           "  OpenBLAS  %s\n"
           "  libcurl   %s\n"
           "  threads   %d\n",
           CDL_VERSION, lua, isa_name(isa_get()), blas,
           http_available(NULL) ? "yes" : "none", pool_threads());
}

/* ---- running Lua ---- */

/* Turns any error value into text with a traceback. */
static int add_traceback(lua_State *L) {
    const char *text = lua_tostring(L, 1);
    if (!text) {
        if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING) {
            text = lua_tostring(L, -1);
        } else {
            text =
                lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
        }
    }
    luaL_traceback(L, L, text, 1);
    return 1;
}

/* Calls the function below its arguments; reports an error on standard error. */
static bool call(lua_State *L, int arguments) {
    int base = lua_gettop(L) - arguments;
    lua_pushcfunction(L, add_traceback);
    lua_insert(L, base);
    int failed = lua_pcall(L, arguments, 0, base);
    lua_remove(L, base);
    if (!failed) return true;
    fflush(stdout);
    const char *line = failed == LUA_ERRMEM ? vm_get(L)->starved : "";
    if (!signals_unread())
        fprintf(stderr, "cdl: %s%s%s\n", line, line[0] ? ": " : "", lua_tostring(L, -1));
    lua_pop(L, 1);
    return false;
}

static bool call_loaded(lua_State *L, int load_status, int arguments) {
    if (load_status == LUA_OK) {
        lua_insert(L, -1 - arguments);
        return call(L, arguments);
    }
    fprintf(stderr, "cdl: %s\n", lua_tostring(L, -1));
    lua_pop(L, 1 + arguments);
    return false;
}

/* Pushes require(name). Used inside protected calls. */
static void push_module(lua_State *L, const char *name) {
    lua_getglobal(L, "require");
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
}

/* -l a.b.c: the global c. */
static int require_global(lua_State *L) {
    const char *name = luaL_checkstring(L, 1), *dot = strrchr(name, '.');
    push_module(L, name);
    lua_setglobal(L, dot ? dot + 1 : name);
    return 0;
}

static int set_seed(lua_State *L) {
    push_module(L, "cdl");
    lua_getfield(L, -1, "random");
    lua_getfield(L, -1, "seed");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 0);
    return 0;
}

/* The prompt: cdl.repl is loaded only here. */
static int run_repl(lua_State *L) {
    push_module(L, "cdl.repl");
    lua_getfield(L, -1, "run");
    lua_pushstring(L, CDL_VERSION);
    lua_call(L, 1, 0);
    return 0;
}

/* arg[0] is the script, arg[1..] its arguments, arg[-1..] what stands before it. */
static void set_arguments(lua_State *L, int argc, char **argv, int script) {
    int zero = script < argc ? script : 0;
    lua_createtable(L, argc - zero, zero + 1);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - zero);
    }
    lua_setglobal(L, "arg");
}

/* What the script gets as `...`. */
static int push_arguments(lua_State *L, int argc, char **argv, int script) {
    int count = script < argc ? argc - script - 1 : 0;
    if (!lua_checkstack(L, count + LUA_MINSTACK)) {
        fprintf(stderr, "cdl: too many arguments to the script (%d)\n", count);
        return -1;
    }
    for (int i = 0; i < count; i++) lua_pushstring(L, argv[script + 1 + i]);
    return count;
}

static bool run_pieces(lua_State *L, const Options *options) {
    for (int i = 0; i < options->n_pieces; i++) {
        const Piece *piece = &options->pieces[i];
        bool good;
        if (piece->kind == 'l') {
            lua_pushcfunction(L, require_global);
            lua_pushstring(L, piece->text);
            good = call(L, 1);
        } else {
            int status = luaL_loadbufferx(L, piece->text, strlen(piece->text),
                                          "=(command line)", "t");
            good = call_loaded(L, status, 0);
        }
        if (!good) return false;
    }
    return true;
}

static bool run_script(lua_State *L, int argc, char **argv, const Options *options) {
    set_arguments(L, argc, argv, options->script);
    int arguments = push_arguments(L, argc, argv, options->script);
    if (arguments < 0) return false;
    bool given = options->script < argc;
    if (!run_pieces(L, options)) {
        lua_pop(L, arguments);
        return false;
    }
    if (!given && (options->code || options->interactive || isatty(STDIN_FILENO)))
        return true;
    const char *path =
        given && strcmp(argv[options->script], "-") != 0 ? argv[options->script] : NULL;
    return call_loaded(L, luaL_loadfilex(L, path, "t"), arguments);
}

static bool run(lua_State *L, int argc, char **argv, const Options *options) {
    if (options->seeded) {
        lua_pushcfunction(L, set_seed);
        lua_pushinteger(L, options->seed);
        if (!call(L, 1)) return false;
    }
    bool good = run_script(L, argc, argv, options);
    bool prompt = options->interactive ||
                  (options->script >= argc && !options->code && isatty(STDIN_FILENO));
    if (!prompt || signals_pending() == SIGTERM) return good;
    signals_clear();
    lua_pushcfunction(L, run_repl);
    return call(L, 0) && good;
}

/* cdl WORD ...: programs of their own. What follows the word is theirs; a module's `run` gets
 * it and gives the exit status. */
static const struct Command {
    const char *word, *module;
} commands[] = {
    {"board", "cdl.commands.board"},
    {"plot", "cdl.commands.plot"},
    {"verify-resume", "cdl.verify_resume"},
};

static const struct Command *find_command(const char *word) {
    for (size_t i = 0; word && i < sizeof commands / sizeof *commands; i++)
        if (strcmp(word, commands[i].word) == 0) return &commands[i];
    return NULL;
}

/* The arguments are the module and where its status goes. */
static int call_command(lua_State *L) {
    int *status = lua_touserdata(L, 2);
    push_module(L, lua_tostring(L, 1));
    lua_getfield(L, -1, "run");
    lua_getglobal(L, "arg");
    lua_call(L, 1, 1);
    *status = (int)luaL_checkinteger(L, -1);
    return 0;
}

static bool run_command(lua_State *L, int argc, char **argv, const Options *options,
                        const struct Command *command, int *status) {
    set_arguments(L, argc, argv, options->script);
    lua_pushcfunction(L, call_command);
    lua_pushstring(L, command->module);
    lua_pushlightuserdata(L, status);
    return call(L, 2) && *status == 0;
}

static int start(int argc, char **argv, const Options *options) {
    lua_State *L = vm_new();
    if (!L) {
        fputs("cdl: not enough memory to start Lua\n", stderr);
        return STATUS_SCRIPT;
    }
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, repl_open_editor);
    lua_setfield(L, -2, "cdl.editor");
    lua_pop(L, 1);
    signals_install(L);
    int failed = STATUS_SCRIPT;
    const struct Command *command =
        options->script < argc ? find_command(argv[options->script]) : NULL;
    bool good = command ? run_command(L, argc, argv, options, command, &failed)
                        : run(L, argc, argv, options);
    int signal = signals_pending();
    signals_clear();
    signals_install(NULL);
    vm_close(L);
    if (signals_unread()) return 128 + SIGPIPE;
    if (signal == SIGTERM || (signal && !good)) return 128 + signal;
    return good ? 0 : failed;
}

int cli_run(int argc, char **argv) {
    Options options = {.pieces = mem_alloc(((size_t)argc + 1) * sizeof(Piece))};
    int status = 0;
    if (!options.pieces) {
        fputs("cdl: not enough memory to start\n", stderr);
        return STATUS_SCRIPT;
    }
    if (!read_options(&options, argc, argv)) {
        status = STATUS_USAGE;
    } else {
        if (options.threaded) pool_set_threads((int)options.threads);
        if (options.help)
            fputs(help_text, stdout);
        else if (options.version)
            print_version();
        else
            status = start(argc, argv, &options);
    }
    mem_free(options.pieces);
    return status;
}
