/* The prompt's history file, $XDG_STATE_HOME/cdl/history or ~/.local/state/cdl/history:
 * one line for each line that was typed, oldest first. Lines are appended as they come,
 * so nothing is lost when the program ends badly, and several programs may share the
 * file. A history that cannot be read or written is no error. */
#ifndef CDL_SCRIPT_HISTORY_H
#define CDL_SCRIPT_HISTORY_H

enum { HISTORY_LINES = 2000 }; /* kept; the file is shortened when it has twice as many */

void history_file_read(void (*each)(void *context, const char *line), void *context);
void history_file_add(const char *line);

#endif
