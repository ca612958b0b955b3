/* The stack machine. Python's pickletools.py lists its operations. */
#include "script/pickle.h"
#include <string.h>
#include "io/reader.h"

enum { MARKS = 64, LINE = 64, ROOM = 100000 };

/* A picked-up global stands on the stack as the address of its row here. */
typedef struct Global {
    const char *module, *name;
    enum { ARRAY_MAKER, ARRAY_CLASS, DTYPE_CLASS, TEXT_ENCODER } role;
} Global;

static const Global globals[] = {
    {"numpy.core.multiarray", "_reconstruct", ARRAY_MAKER},
    {"numpy._core.multiarray", "_reconstruct", ARRAY_MAKER},
    {"numpy", "ndarray", ARRAY_CLASS},
    {"numpy", "dtype", DTYPE_CLASS},
    {"_codecs", "encode", TEXT_ENCODER},
};

/* The machine. Its stack is Lua's own, above `base`. */
typedef struct Machine {
    lua_State *L;
    const char *name; /* of the file */
    const unsigned char *start, *at, *end;
    int memo, base; /* stack indices: the table of what was remembered; the last below */
    int marks, mark[MARKS];
    Err *err;
} Machine;

static bool damaged(const Machine *m, const char *what) {
    return err_set(m->err, "%s: damaged pickle at byte %zu: %s", m->name,
                   (size_t)(m->at - m->start), what);
}

/* ---- reading bytes ---- */

/* The little-endian number in the next bytes (1 to 8). */
static bool take_number(Machine *m, int bytes, uint64_t *number) {
    if (m->end - m->at < bytes) return damaged(m, "it ends too early");
    *number = 0;
    for (int i = bytes; i-- > 0;) *number = *number << 8 | m->at[i];
    m->at += bytes;
    return true;
}

/* A text behind its length. */
static bool push_text(Machine *m, int length_bytes) {
    uint64_t length;
    if (!take_number(m, length_bytes, &length)) return false;
    if (length > (uint64_t)(m->end - m->at)) return damaged(m, "it ends too early");
    lua_pushlstring(m->L, (const char *)m->at, (size_t)length);
    m->at += length;
    return true;
}

static bool take_line(Machine *m, char line[LINE]) {
    const unsigned char *stop = memchr(m->at, '\n', (size_t)(m->end - m->at));
    if (!stop || stop - m->at >= LINE) return damaged(m, "a name without end");
    text_printable((const char *)m->at, (size_t)(stop - m->at), line, LINE);
    m->at = stop + 1;
    return true;
}

/* ---- the stack ---- */

static bool need(const Machine *m, int values) {
    int below = m->marks ? m->mark[m->marks - 1] : m->base;
    return lua_gettop(m->L) - below >= values ||
           damaged(m, "an operation without operands");
}

static bool need_table(const Machine *m, int index) {
    return lua_istable(m->L, index) || damaged(m, "a list or dict was expected");
}

/* The top of the stack when the last mark was set; the mark is gone. */
static bool pop_mark(Machine *m, int *top) {
    if (!m->marks) return damaged(m, "an end without a beginning");
    *top = m->mark[--m->marks];
    return true;
}

/* The values above `top` as one list. */
static void gather(Machine *m, int top) {
    int count = lua_gettop(m->L) - top;
    lua_createtable(m->L, count, 0);
    for (int i = 1; i <= count; i++) {
        lua_pushvalue(m->L, top + i);
        lua_rawseti(m->L, -2, i);
    }
    lua_insert(m->L, top + 1);
    lua_settop(m->L, top + 1);
}

/* Adds the values above `top` to the list there. */
static bool append(Machine *m, int top) {
    lua_State *L = m->L;
    if (top <= m->base || !need_table(m, top)) return damaged(m, "no list to add to");
    lua_Integer length = (lua_Integer)lua_rawlen(L, top);
    for (int i = top + 1; i <= lua_gettop(L); i++) {
        lua_pushvalue(L, i);
        lua_rawseti(L, top, ++length);
    }
    lua_settop(L, top);
    return true;
}

/* Puts the pairs above `top` into the dict there. */
static bool set_items(Machine *m, int top) {
    lua_State *L = m->L;
    if (top <= m->base || !need_table(m, top)) return damaged(m, "no dict to put into");
    if ((lua_gettop(L) - top) % 2) return damaged(m, "a key without a value");
    for (int i = top + 1; i <= lua_gettop(L); i += 2) {
        if (!lua_isstring(L, i))
            return damaged(m, "a key that is neither text nor number");
        lua_pushvalue(L, i);
        lua_pushvalue(L, i + 1);
        lua_rawset(L, top);
    }
    lua_settop(L, top);
    return true;
}

/* ---- arrays ---- */

static bool push_global(Machine *m, const char *module, const char *name) {
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        if (strcmp(globals[i].module, module) == 0 &&
            strcmp(globals[i].name, name) == 0) {
            lua_pushlightuserdata(m->L, (void *)(uintptr_t)&globals[i]);
            return true;
        }
    return err_set(m->err, "%s: refers to Python's %s.%s; loading never runs code",
                   m->name, module, name);
}

/* Bytes that protocol 2 writes as a text, each as the character of its number. */
static bool replace_by_bytes(Machine *m) {
    size_t size;
    const char *text = lua_tolstring(m->L, -1, &size);
    luaL_Buffer bytes;
    char *to = luaL_buffinitsize(m->L, &bytes, size);
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        bool two = (c == 0xC2 || c == 0xC3) && i + 1 < size;
        if (c >= 0x80 && !two) return damaged(m, "a text that stands for no bytes");
        to[count++] = two ? (char)(c << 6 | (text[++i] & 0x3F)) : (char)c;
    }
    luaL_pushresultsize(&bytes, count);
    lua_remove(m->L, -2);
    return true;
}

/* Takes what would be called and its arguments from the stack, pushes what stands for the
 * result: an empty table for an array, { "u1" } for a dtype, the bytes for a text. */
static bool reduce(Machine *m) {
    lua_State *L = m->L;
    if (!need(m, 2) || !need_table(m, -1)) return false;
    const Global *global = lua_touserdata(L, -2);
    if (!lua_islightuserdata(L, -2) || global->role == ARRAY_CLASS)
        return damaged(m, "a call of what is no function");
    if (global->role != ARRAY_MAKER) {
        lua_rawgeti(L, -1, 1);
        if (lua_type(L, -1) != LUA_TSTRING) return damaged(m, "a text was expected");
        if (global->role == TEXT_ENCODER && !replace_by_bytes(m)) return false;
    }
    if (global->role != TEXT_ENCODER) lua_createtable(L, 1, 4);
    if (global->role == DTYPE_CLASS) {
        lua_insert(L, -2);
        lua_rawseti(L, -2, 1);
    }
    lua_replace(L, -3);
    lua_pop(L, 1);
    return true;
}

/* The state of an array: version, shape, dtype, whether the axes are in Fortran's order,
 * data. That of a dtype changes nothing for the types that are read. */
static bool build(Machine *m) {
    static const char *const fields[] = {"shape", "dtype", "fortran", "data"};
    lua_State *L = m->L;
    if (!need(m, 2) || !need_table(m, -1) || !need_table(m, -2)) return false;
    bool is_dtype = lua_rawlen(L, -2) > 0;
    for (int i = 0; i < 4 && !is_dtype; i++) {
        lua_rawgeti(L, -1, i + 2);
        if (i == 1 && lua_istable(L, -1)) { /* { "u1" } */
            lua_rawgeti(L, -1, 1);
            lua_remove(L, -2);
        }
        lua_setfield(L, -3, fields[i]);
    }
    lua_pop(L, 1);
    return true;
}

/* ---- the operations; each family says whether the operation is one of its own ---- */

typedef enum Outcome { OTHER, DONE, FAILED } Outcome;

static Outcome outcome(bool ok) { return ok ? DONE : FAILED; }

static Outcome push_integer(Machine *m, int bytes, bool is_signed) {
    uint64_t number;
    if (!take_number(m, bytes, &number)) return FAILED;
    int unused = 64 - 8 * bytes;
    lua_pushinteger(m->L, is_signed ? (int64_t)(number << unused) >> unused
                                    : (lua_Integer)number);
    return DONE;
}

static Outcome push_long(Machine *m) {
    uint64_t bytes;
    if (!take_number(m, 1, &bytes)) return FAILED;
    if (bytes > 8) return outcome(damaged(m, "an integer of more than 64 bits"));
    if (bytes) return push_integer(m, (int)bytes, true);
    lua_pushinteger(m->L, 0);
    return DONE;
}

static Outcome push_real(Machine *m) {
    uint64_t bits = 0;
    double value;
    if (m->end - m->at < 8) return outcome(damaged(m, "it ends too early"));
    for (int i = 0; i < 8; i++) bits = bits << 8 | *m->at++;
    memcpy(&value, &bits, sizeof value);
    lua_pushnumber(m->L, value);
    return DONE;
}

static Outcome run_scalar(Machine *m, int op) {
    switch (op) {
    case 'K':
        return push_integer(m, 1, false); /* BININT1 */
    case 'M':
        return push_integer(m, 2, false); /* BININT2 */
    case 'J':
        return push_integer(m, 4, true); /* BININT */
    case 0x8a:
        return push_long(m); /* LONG1 */
    case 'G':
        return push_real(m); /* BINFLOAT */
    case 'U':                /* SHORT_BINSTRING */
    case 'C':                /* SHORT_BINBYTES */
    case 0x8c:
        return outcome(push_text(m, 1)); /* SHORT_BINUNICODE */
    case 'T':                            /* BINSTRING */
    case 'B':                            /* BINBYTES */
    case 'X':
        return outcome(push_text(m, 4)); /* BINUNICODE */
    case 0x8e:                           /* BINBYTES8 */
    case 0x8d:
        return outcome(push_text(m, 8)); /* BINUNICODE8 */
    case 'N':                            /* NONE */
    case 0x89:                           /* NEWFALSE */
    case 0x88:                           /* NEWTRUE */
        lua_pushboolean(m->L, op == 0x88);
        return DONE;
    default:
        return OTHER;
    }
}

static Outcome push_mark(Machine *m) {
    if (m->marks == MARKS) return outcome(damaged(m, "nested too deeply"));
    m->mark[m->marks++] = lua_gettop(m->L);
    return DONE;
}

/* The operations that use what stands above the last mark. */
static Outcome run_marked(Machine *m, int op) {
    int top;
    if (!memchr("lteud1", op, 6)) return OTHER;
    if (!pop_mark(m, &top)) return FAILED;
    if (op == 'e') return outcome(append(m, top));    /* APPENDS */
    if (op == 'u') return outcome(set_items(m, top)); /* SETITEMS */
    if (op == '1') {                                  /* POP_MARK */
        lua_settop(m->L, top);
    } else if (op == 'd') { /* DICT */
        lua_newtable(m->L);
        lua_insert(m->L, top + 1);
        return outcome(set_items(m, top + 1));
    } else { /* LIST, TUPLE */
        gather(m, top);
    }
    return DONE;
}

static Outcome run_structure(Machine *m, int op) {
    switch (op) {
    case '(':
        return push_mark(m); /* MARK */
    case '}':                /* EMPTY_DICT */
    case ']':                /* EMPTY_LIST */
    case ')':                /* EMPTY_TUPLE */
        lua_newtable(m->L);
        return DONE;
    case 0x85: /* TUPLE1 to TUPLE3 */
    case 0x86:
    case 0x87:
        if (!need(m, op - 0x84)) return FAILED;
        gather(m, lua_gettop(m->L) - (op - 0x84));
        return DONE;
    case 'a': /* APPEND */
        return outcome(need(m, 2) && append(m, lua_gettop(m->L) - 1));
    case 's': /* SETITEM */
        return outcome(need(m, 3) && set_items(m, lua_gettop(m->L) - 2));
    case '0': /* POP */
        if (!need(m, 1)) return FAILED;
        lua_pop(m->L, 1);
        return DONE;
    default:
        return run_marked(m, op);
    }
}

/* What a pickle remembers under a number, to use it again. */
static Outcome run_memo(Machine *m, int op) {
    uint64_t number;
    bool store = op == 'q' || op == 'r', is_long = op == 'r' || op == 'j';
    if (op == 0x94) { /* MEMOIZE: under the next number */
        number = lua_rawlen(m->L, m->memo);
        store = true;
    } else if (!memchr("qrhj", op, 4)) { /* BINPUT, LONG_BINPUT, BINGET, LONG_BINGET */
        return OTHER;
    } else if (!take_number(m, is_long ? 4 : 1, &number)) {
        return FAILED;
    }
    if (store) {
        if (!need(m, 1)) return FAILED;
        lua_pushvalue(m->L, -1);
        lua_rawseti(m->L, m->memo, (lua_Integer)number + 1);
        return DONE;
    }
    if (lua_rawgeti(m->L, m->memo, (lua_Integer)number + 1) != LUA_TNIL) return DONE;
    return outcome(damaged(m, "what it refers to was never made"));
}

static Outcome run_object(Machine *m, int op) {
    char module[LINE], name[LINE];
    uint64_t number;
    switch (op) {
    case 0x80:
        return outcome(take_number(m, 1, &number)); /* PROTO */
    case 0x95:
        return outcome(take_number(m, 8, &number)); /* FRAME */
    case 'c':                                       /* GLOBAL */
        return outcome(take_line(m, module) && take_line(m, name) &&
                       push_global(m, module, name));
    case 0x93: /* STACK_GLOBAL */
        if (!need(m, 2)) return FAILED;
        if (lua_type(m->L, -1) != LUA_TSTRING || lua_type(m->L, -2) != LUA_TSTRING)
            return outcome(damaged(m, "a name was expected"));
        if (!push_global(m, lua_tostring(m->L, -2), lua_tostring(m->L, -1)))
            return FAILED;
        lua_replace(m->L, -3);
        lua_pop(m->L, 1);
        return DONE;
    case 'R':
        return outcome(reduce(m)); /* REDUCE */
    case 'b':
        return outcome(build(m)); /* BUILD */
    default:
        return OTHER;
    }
}

/* Runs the pickle to its end; its value is then on top of the stack. */
static bool run(Machine *m) {
    static Outcome (*const families[])(Machine *, int) = {run_scalar, run_memo,
                                                          run_structure, run_object};
    while (m->at < m->end) {
        int op = *m->at++;
        if (op == '.') return need(m, 1); /* STOP */
        if (lua_gettop(m->L) > m->base + ROOM)
            return damaged(m, "too many values at once");
        luaL_checkstack(m->L, 8, "pickle");
        Outcome done = OTHER;
        for (int i = 0; i < 4 && done == OTHER; i++) done = families[i](m, op);
        if (done == FAILED) return false;
        if (done == OTHER) return damaged(m, "an operation that is not known");
    }
    return damaged(m, "it ends too early");
}

bool pickle_run(lua_State *L, const char *name, const char *bytes, size_t size,
                Err *err) {
    const unsigned char *start = (const unsigned char *)bytes;
    lua_newtable(L);
    int memo = lua_gettop(L);
    Machine machine = {L, name, start, start, start + size, memo, memo, 0, {0}, err};
    return run(&machine);
}
