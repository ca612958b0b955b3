/* The error that kernels of one run found in the data; see fault_set in call.h. */
#ifndef CDL_KERNELS_FAULT_H
#define CDL_KERNELS_FAULT_H
#include <pthread.h>
#include <stdatomic.h>
#include "kernels/call.h"

struct Fault {
    _Atomic int set; /* 0: none; read without the lock after a run */
    pthread_mutex_t lock;
    int64_t position;
    char text[256];
};

#define FAULT_NONE                                                                       \
    {                                                                                    \
        0, PTHREAD_MUTEX_INITIALIZER, 0, { 0 }                                           \
    }

#endif
