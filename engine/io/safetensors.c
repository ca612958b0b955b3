#include "io/safetensors.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "io/element.h"

/* The longest header that the format's own library reads. */
enum { LONGEST = 100 * 1000 * 1000, LENGTH = 8 };

static const char metadata_key[] = "__metadata__";

static const struct {
    const char *name;
    Element element;
} types[] = {
    {"BOOL", ELEMENT_BOOL},    {"U8", ELEMENT_UINT8},    {"I8", ELEMENT_INT8},
    {"U16", ELEMENT_UINT16},   {"I16", ELEMENT_INT16},   {"U32", ELEMENT_UINT32},
    {"I32", ELEMENT_INT32},    {"U64", ELEMENT_UINT64},  {"I64", ELEMENT_INT64},
    {"F16", ELEMENT_FLOAT16},  {"F32", ELEMENT_FLOAT32}, {"F64", ELEMENT_FLOAT64},
    {"BF16", ELEMENT_BFLOAT16}};
enum { TYPES = sizeof types / sizeof *types };

/* An array as the header describes it. */
typedef struct Place {
    const char *name;
    Element element;
    Shape shape;
    uint64_t from, to; /* bytes behind the header */
    int64_t index;     /* in the header's order */
} Place;

void safetensors_free(Safetensors *file) {
    named_free(&file->arrays);
    for (int64_t k = 0; k < file->metadata_count; k++) {
        mem_free((void *)(uintptr_t)file->metadata[k].key);
        mem_free((void *)(uintptr_t)file->metadata[k].value);
    }
    mem_free(file->metadata);
    *file = (Safetensors){0};
}

static bool no_memory(const Reader *reader, Err *err) {
    return err_set(err, "%s: not enough memory to read it", reader->name);
}

/* ---- reading the header ---- */

/* Raises the message of one array: "x.safetensors: array 'kernel': ...". */
static bool refuse(const Reader *reader, const char *name, const char *what, Err *err) {
    char printable[160];
    text_printable(name, strlen(name), printable, sizeof printable);
    return err_set(err, "%s: array '%s': %s", reader->name, printable, what);
}

static bool parse_type(const Reader *reader, const json_t *entry, Place *place,
                       Err *err) {
    char what[160], printable[32];
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    if (!name) return refuse(reader, place->name, "its header has no dtype", err);
    for (int k = 0; k < TYPES; k++)
        if (strcmp(types[k].name, name) == 0) {
            place->element = types[k].element;
            return true;
        }
    text_printable(name, strlen(name), printable, sizeof printable);
    snprintf(what, sizeof what,
             "dtype '%s' cannot be read; booleans, integers and floats of 16, 32 and "
             "64 bits can",
             printable);
    return refuse(reader, place->name, what, err);
}

static bool parse_shape(const Reader *reader, const json_t *entry, Place *place,
                        Err *err) {
    const json_t *shape = json_object_get(entry, "shape");
    size_t ndim = json_array_size(shape);
    if (!json_is_array(shape))
        return refuse(reader, place->name, "its header has no shape", err);
    if (ndim > SHAPE_MAX)
        return refuse(reader, place->name, "it has more axes than can be read", err);
    place->shape.ndim = (int)ndim;
    for (size_t k = 0; k < ndim; k++) {
        const json_t *size = json_array_get(shape, k);
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return refuse(reader, place->name, "its shape must hold sizes", err);
        place->shape.dim[k] = json_integer_value(size);
    }
    return true;
}

/* Where the bytes lie: behind the header, inside the file, as many as the shape takes. */
static bool parse_offsets(const Reader *reader, const json_t *entry, Place *place,
                          Err *err) {
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *from = json_array_get(offsets, 0), *to = json_array_get(offsets, 1);
    char what[192], text[SHAPE_TEXT];
    size_t bytes;
    if (json_array_size(offsets) != 2 || !json_is_integer(from) || !json_is_integer(to) ||
        json_integer_value(from) < 0 || json_integer_value(to) < json_integer_value(from))
        return refuse(reader, place->name, "its data_offsets must be two places", err);
    place->from = (uint64_t)json_integer_value(from);
    place->to = (uint64_t)json_integer_value(to);
    if (place->to > reader->most) {
        snprintf(what, sizeof what,
                 "its data end at byte %" PRIu64 ", but %" PRIu64
                 " follow the header (the file is damaged or cut off)",
                 place->to, reader->most);
        return refuse(reader, place->name, what, err);
    }
    if (element_bytes(place->element, &place->shape, &bytes) &&
        bytes == place->to - place->from)
        return true;
    snprintf(what, sizeof what,
             "shape %s does not take the %" PRIu64 " bytes it is given",
             shape_text(&place->shape, text), place->to - place->from);
    return refuse(reader, place->name, what, err);
}

static int compare_places(const void *a, const void *b) {
    const Place *x = a, *y = b;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    if (x->to != y->to) return x->to < y->to ? -1 : 1;
    return 0;
}

/* Sorts the places as they lie in the file; they must cover it without holes. */
static bool check_places(const Reader *reader, Place *places, int64_t count, Err *err) {
    uint64_t end = 0;
    qsort(places, (size_t)count, sizeof *places, compare_places);
    for (int64_t k = 0; k < count; k++) {
        if (places[k].from < end)
            return refuse(reader, places[k].name, "its data overlap those of another",
                          err);
        if (places[k].from > end)
            return refuse(reader, places[k].name, "there is a hole before its data", err);
        end = places[k].to;
    }
    if (end != reader->most)
        return err_set(err,
                       "%s: %" PRIu64 " bytes follow the header, but its arrays take "
                       "%" PRIu64,
                       reader->name, reader->most, end);
    return true;
}

static bool read_metadata(const Reader *reader, json_t *entry, Safetensors *file,
                          Err *err) {
    const char *key;
    json_t *value;
    if (!json_is_object(entry))
        return err_set(err, "%s: %s must hold names and texts", reader->name,
                       metadata_key);
    file->metadata = mem_zalloc(json_object_size(entry) * sizeof *file->metadata + 1);
    if (!file->metadata) return no_memory(reader, err);
    json_object_foreach(entry, key, value) {
        if (!json_is_string(value))
            return err_set(err, "%s: %s must hold names and texts", reader->name,
                           metadata_key);
        MetadataEntry *pair = &file->metadata[file->metadata_count++];
        pair->key = mem_strdup(key);
        pair->value = mem_strdup(json_string_value(value));
        if (!pair->key || !pair->value) return no_memory(reader, err);
    }
    return true;
}

/* Places and metadata from the header; *count of the places. */
static bool parse_header(const Reader *reader, json_t *header, Safetensors *file,
                         Place *places, int64_t *count, Err *err) {
    const char *name;
    json_t *entry;
    *count = 0;
    json_object_foreach(header, name, entry) {
        if (strcmp(name, metadata_key) == 0) {
            if (!read_metadata(reader, entry, file, err)) return false;
            continue;
        }
        Place *place = &places[*count];
        *place = (Place){.name = name, .index = (*count)++};
        if (!parse_type(reader, entry, place, err) ||
            !parse_shape(reader, entry, place, err) ||
            !parse_offsets(reader, entry, place, err))
            return false;
    }
    return check_places(reader, places, *count, err);
}

static json_t *load_header(Reader *reader, Err *err) {
    unsigned char start[LENGTH];
    uint64_t length = 0;
    if (reader->most < LENGTH || !reader_take(reader, start, LENGTH, err)) {
        err_set(err, "%s: not a .safetensors file (it is shorter than a header)",
                reader->name);
        return NULL;
    }
    for (int k = LENGTH; k-- > 0;) length = length << 8 | start[k];
    if (length < 2 || length > LONGEST || length > reader->most) {
        err_set(
            err,
            "%s: not a .safetensors file, or one that is cut off: its header is given "
            "as %" PRIu64 " bytes, %" PRIu64 " follow",
            reader->name, length, reader->most);
        return NULL;
    }
    char *text = mem_alloc((size_t)length);
    if (!text) return no_memory(reader, err), NULL;
    json_t *header = NULL;
    if (reader_take(reader, text, (size_t)length, err)) {
        json_error_t error;
        header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &error);
        if (!header || !json_is_object(header))
            err_set(err, "%s: the header is damaged: %s (byte %d of it)", reader->name,
                    header ? "it is no JSON object" : error.text,
                    header ? 0 : error.position);
    }
    mem_free(text);
    if (json_is_object(header)) return header;
    json_decref(header);
    return NULL;
}

/* ---- reading ---- */

static bool read_arrays(Reader *reader, const Place *places, int64_t count,
                        NamedTensors *arrays, Err *err) {
    arrays->list = mem_zalloc((size_t)count * sizeof *arrays->list + 1);
    if (!arrays->list) return no_memory(reader, err);
    arrays->count = count;
    for (int64_t k = 0; k < count; k++) {
        NamedTensor *array = &arrays->list[places[k].index];
        array->name = mem_strdup(places[k].name);
        if (!array->name) return no_memory(reader, err);
        if (!element_read(reader, places[k].element, HOST_BIG_ENDIAN, places[k].shape,
                          &array->tensor, err))
            return false;
    }
    return reader_end(reader, err);
}

static bool read_file(Reader *reader, Safetensors *file, Err *err) {
    json_t *header = load_header(reader, err);
    if (!header) return false;
    int64_t count = 0;
    Place *places = mem_alloc(json_object_size(header) * sizeof *places + 1);
    bool ok = places ? parse_header(reader, header, file, places, &count, err) &&
                           read_arrays(reader, places, count, &file->arrays, err)
                     : no_memory(reader, err);
    mem_free(places);
    json_decref(header);
    return ok;
}

bool safetensors_load(const char *path, Safetensors *out, Err *err) {
    Reader reader;
    Safetensors file = {0};
    if (!reader_open_plain(&reader, path, err)) return false;
    bool ok = read_file(&reader, &file, err);
    reader_close(&reader);
    if (ok)
        *out = file;
    else
        safetensors_free(&file);
    return ok;
}
