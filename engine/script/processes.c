/* Running programs: what `cdl verify-resume` needs of the system. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "script/script.h"
#include "script/signals.h"

enum { PATH_ROOM = 4096 };

/* core.executable(): the path of the program that runs. */
static int core_executable(lua_State *L) {
    char path[PATH_ROOM];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0) return luaL_error(L, "cannot find the program: %s", strerror(errno));
    lua_pushlstring(L, path, (size_t)length);
    return 1;
}

/* The words at the index as an argument vector, which lives as long as they do. */
static char **check_words(lua_State *L, int index) {
    luaL_checktype(L, index, LUA_TTABLE);
    size_t count = lua_rawlen(L, index);
    char **words = lua_newuserdatauv(L, (count + 1) * sizeof *words, 0);
    for (size_t k = 0; k < count; k++) {
        lua_rawgeti(L, index, (lua_Integer)k + 1);
        words[k] = (char *)(uintptr_t)luaL_checkstring(L, -1);
        lua_pop(L, 1);
    }
    words[count] = NULL;
    return words;
}

static bool redirect(const char *path, int to) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    return fd >= 0 && dup2(fd, to) >= 0 && close(fd) == 0;
}

/* In the child: words of the environment are NAME=value. */
static void become(char **words, char **environment, const char *output,
                   const char *errors) {
    for (char **entry = environment; *entry; entry++) putenv(*entry);
    bool ready = redirect(output, STDOUT_FILENO) && redirect(errors, STDERR_FILENO);
    if (ready) execv(words[0], words);
    _exit(127);
}

/* Waits for the process; kills it when its time is over, or when this program is asked to
 * end. */
static int await(pid_t process, double seconds, bool *killed) {
    const struct timespec pause = {.tv_nsec = 500000};
    double until = clock_now() + seconds;
    int status = 0;
    *killed = false;
    while (waitpid(process, &status, WNOHANG) == 0) {
        if (!*killed && ((seconds > 0 && clock_now() >= until) || signals_pending()))
            *killed = kill(process, SIGKILL) == 0;
        nanosleep(&pause, NULL);
    }
    return status;
}

/* core.run_program(words, environment, output, errors, seconds): runs words[1] with the
 * others as its arguments and "NAME=value" words added to the environment, its output and
 * errors into files. seconds: after them it is killed; 0: never. Gives its exit status, or
 * nil and the signal that ended it. */
static int core_run_program(lua_State *L) {
    lua_settop(L, 5);
    char **words = check_words(L, 1), **environment = check_words(L, 2);
    const char *output = luaL_checkstring(L, 3), *errors = luaL_checkstring(L, 4);
    double seconds = luaL_checknumber(L, 5);
    bool killed;
    pid_t process = fork();
    if (process == 0) become(words, environment, output, errors);
    if (process < 0) return luaL_error(L, "cannot start a process: %s", strerror(errno));
    int status = await(process, seconds, &killed);
    if (WIFEXITED(status)) {
        lua_pushinteger(L, WEXITSTATUS(status));
        return 1;
    }
    lua_pushnil(L);
    lua_pushinteger(L, WTERMSIG(status));
    return 2;
}

static const luaL_Reg process_functions[] = {
    {"executable", core_executable},
    {"run_program", core_run_program},
    {NULL, NULL},
};

void script_open_processes(lua_State *L) { script_register(L, process_functions); }
