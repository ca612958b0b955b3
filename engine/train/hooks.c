#include "train/hooks.h"

const HookDef hook_table[HOOK_COUNT] = {
#define HOOK(id, arguments, logs)                                                        \
    [HOOK_##id] = {"on_" #id, HOOK_##arguments, LOGS_##logs},
#include "train/hooks.def"
#undef HOOK
};
