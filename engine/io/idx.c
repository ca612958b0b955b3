#include "io/idx.h"
#include "io/element.h"

static bool find_type(unsigned char code, Element *element) {
    switch (code) {
    case 0x08:
        *element = ELEMENT_UINT8;
        return true;
    case 0x09:
        *element = ELEMENT_INT8;
        return true;
    case 0x0B:
        *element = ELEMENT_INT16;
        return true;
    case 0x0C:
        *element = ELEMENT_INT32;
        return true;
    case 0x0D:
        *element = ELEMENT_FLOAT32;
        return true;
    case 0x0E:
        *element = ELEMENT_FLOAT64;
        return true;
    default:
        return false;
    }
}

static bool read_header(Reader *reader, Element *element, Shape *shape, Err *err) {
    unsigned char start[4], size[4];
    if (reader->most < 4 || !reader_take(reader, start, 4, err))
        return err_set(err, "%s: not an idx file (it is shorter than a header)",
                       reader->name);
    if (start[0] || start[1] || !find_type(start[2], element))
        return err_set(err, "%s: not an idx file (it begins with %02x %02x %02x %02x)",
                       reader->name, start[0], start[1], start[2], start[3]);
    if (start[3] > SHAPE_MAX)
        return err_set(err, "%s: has %d axes; at most %d can be read", reader->name,
                       start[3], SHAPE_MAX);
    *shape = (Shape){.ndim = start[3]};
    for (int k = 0; k < shape->ndim; k++) {
        if (!reader_take(reader, size, 4, err)) return false;
        shape->dim[k] = (int64_t)size[0] << 24 | size[1] << 16 | size[2] << 8 | size[3];
    }
    return true;
}

bool idx_load(const char *path, Tensor *out, Err *err) {
    Reader reader;
    Element element = ELEMENT_UINT8;
    Shape shape;
    Tensor tensor = {0};
    if (!reader_open(&reader, path, err)) return false;
    bool ok = read_header(&reader, &element, &shape, err) &&
              element_read(&reader, element, !HOST_BIG_ENDIAN, shape, &tensor, err);
    if (ok && !reader_end(&reader, err)) {
        tensor_release(&tensor);
        ok = false;
    }
    reader_close(&reader);
    if (ok) *out = tensor;
    return ok;
}
