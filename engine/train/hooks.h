/* The hooks as numbers and bits. A run keeps one mask of the hooks that somebody
 * defines; an event whose bit is not set costs a test of that bit and nothing else. */
#ifndef CDL_TRAIN_HOOKS_H
#define CDL_TRAIN_HOOKS_H
#include <stdint.h>

typedef enum Hook {
#define HOOK(id, arguments, logs) HOOK_##id,
#include "train/hooks.def"
#undef HOOK
    HOOK_COUNT
} Hook;

typedef enum HookArguments { HOOK_LOGS, HOOK_NUMBER, HOOK_TEXT } HookArguments;
typedef enum HookLogs {
    LOGS_EMPTY,
    LOGS_TRAIN,
    LOGS_EPOCH,
    LOGS_TEST,
    LOGS_OUTPUTS
} HookLogs;

typedef struct HookDef {
    const char *name; /* "on_train_begin" */
    HookArguments arguments;
    HookLogs logs;
} HookDef;

extern const HookDef hook_table[HOOK_COUNT];

static inline uint32_t hook_bit(Hook hook) { return UINT32_C(1) << hook; }

#endif
