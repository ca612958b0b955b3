/* The Lua modules that are built into the program; written by embed/embed.c. */
#ifndef CDL_SCRIPT_EMBED_H
#define CDL_SCRIPT_EMBED_H
#include <stddef.h>

typedef struct EmbeddedModule {
    const char *name; /* "cdl.layers.dense"; cdl/init.lua is "cdl" */
    const char *text;
    size_t size;
} EmbeddedModule;

extern const EmbeddedModule embedded_modules[]; /* ends with a NULL name */

#endif
