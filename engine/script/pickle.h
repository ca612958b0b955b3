/* Python's pickles, as data. A pickle is a program for a small stack machine. The operations
 * that make numbers, texts, lists, tuples and dicts are run; those that name Python functions
 * may only name the few that make up a NumPy array, and even these are not called: what they
 * were given becomes a table. So a file can say what it holds and nothing more.
 *
 * A tuple is a list in Lua, None is false, an array { shape =, dtype =, fortran =, data = },
 * whose data are bytes or, for Python objects, a list. */
#ifndef CDL_SCRIPT_PICKLE_H
#define CDL_SCRIPT_PICKLE_H
#include "script/script.h"

/* Pushes the value; on failure the stack holds more than before. The name is the file's. */
bool pickle_run(lua_State *L, const char *name, const char *bytes, size_t size, Err *err);

#endif
