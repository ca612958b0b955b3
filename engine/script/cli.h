/* The command line: cdl [options] [script.lua [args]]. */
#ifndef CDL_SCRIPT_CLI_H
#define CDL_SCRIPT_CLI_H

/* Runs the program. The result is its exit status: 0; 1 script error; 2 bad usage; 130
 * interrupted; 143 terminated. */
int cli_run(int argc, char **argv);

#endif
