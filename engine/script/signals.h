/* SIGINT and SIGTERM. A handler only sets a flag; what follows depends on what runs:
 *
 *   Lua code   a debug hook raises "interrupted" (or "terminated") at the next step
 *   a fit      nothing: the loop asks signals_pending and ends in good order
 *   a prompt   nothing: reading the line is broken off, and the prompt asks
 *
 * The flag stays until signals_clear, so a pcall cannot swallow it. A second signal of
 * the same kind while the flag is set ends the process with 130 or 143 at once, except
 * at a prompt. System calls are not restarted after a signal. SIGPIPE is ignored, but
 * that of standard output, which counts as SIGTERM.
 *
 *     signals_enter_fit();
 *     while (steps left && !signals_pending()) step();
 *     if (signals_pending() == SIGINT) signals_clear();   // dealt with
 *     signals_leave_fit();      // a signal that is still pending now stops the Lua code
 */
#ifndef CDL_SCRIPT_SIGNALS_H
#define CDL_SCRIPT_SIGNALS_H

#include <stdbool.h>

struct lua_State;

/* The state whose Lua code is interrupted; once, at start. NULL: no Lua code any more. */
void signals_install(struct lua_State *L);

int signals_pending(void); /* 0, SIGINT or SIGTERM; SIGTERM wins */
bool signals_unread(void); /* nobody reads standard output any more */
void signals_clear(void);  /* forgets both, and the hook that they may have set */

/* Between these, signals set their flag only. They nest. */
void signals_enter_fit(void);
void signals_leave_fit(void);
void signals_enter_prompt(void);
void signals_leave_prompt(void);

#endif
