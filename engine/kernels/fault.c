#include "kernels/fault.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

void fault_set(Fault *fault, int64_t position, const char *format, ...) {
    if (!fault) return;
    pthread_mutex_lock(&fault->lock);
    bool set = atomic_load_explicit(&fault->set, memory_order_relaxed) != 0;
    if (!set || position < fault->position) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(fault->text, sizeof fault->text, format, arguments);
        va_end(arguments);
        fault->position = position;
        atomic_store_explicit(&fault->set, 1, memory_order_release);
    }
    pthread_mutex_unlock(&fault->lock);
}
