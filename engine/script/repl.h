/* The terminal side of the prompt: the Lua module "cdl.editor", which lua/cdl/repl.lua
 * and complete.lua stand on.
 *
 *     editor.open(complete)   complete(text before the cursor) -> text, candidates
 *     editor.read(prompt)     -> line, or nil and "eof", "interrupted" or "terminated"
 *     editor.remember(line)   puts it into the history and its file
 *     editor.clear_signals()  -> whether Ctrl-C had come
 *     editor.folder(path)     -> the names in a folder
 *     editor.close()
 *
 * Without a terminal lines are read from standard input as they come. */
#ifndef CDL_SCRIPT_REPL_H
#define CDL_SCRIPT_REPL_H
#include <lua.h>

int repl_open_editor(lua_State *L); /* a lua_CFunction for package.preload */

#endif
