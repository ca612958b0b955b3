#include "graph/variable.h"
#include <stdatomic.h>
#include "base/mem.h"

static uint64_t next_id(void) {
    static _Atomic uint64_t last;
    return atomic_fetch_add(&last, 1) + 1;
}

Variable *variable_new(const char *path, const Tensor *value, bool trainable, Err *err) {
    Variable *variable = mem_zalloc(sizeof *variable);
    char *name = mem_strdup(path);
    if (!variable || !name) {
        err_set(err, "out of memory for variable '%s'", path);
        goto fail;
    }
    if (!tensor_copy(value, &variable->value, err)) goto fail;
    variable->id = next_id();
    variable->path = name;
    variable->trainable = trainable;
    variable->references = 1;
    return variable;
fail:
    mem_free(name);
    mem_free(variable);
    return NULL;
}

Variable *variable_retain(Variable *variable) {
    variable->references++;
    return variable;
}

void variable_release(Variable *variable) {
    if (!variable || --variable->references > 0) return;
    tensor_release(&variable->value);
    mem_free(variable->path);
    mem_free(variable);
}

bool variable_assign(Variable *variable, const Tensor *value, Err *err) {
    if (!shape_equal(&variable->value.shape, &value->shape)) {
        char given[SHAPE_TEXT], wanted[SHAPE_TEXT];
        return err_set(err, "variable '%s' has shape %s, the value given has shape %s",
                       variable->path, shape_text(&variable->value.shape, wanted),
                       shape_text(&value->shape, given));
    }
    return tensor_assign(&variable->value, value, err);
}
