/* The header of a .npy file: magic, version, length, and a Python dictionary as text:
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 * The parser takes what Python's literal_eval would for these three keys and nothing
 * else. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "io/npy.h"

static const char magic[] = "\x93NUMPY";
enum { MAGIC = 6, ALIGN = 64, LONGEST = 64 * 1024 };

typedef struct Parser {
    const Reader *reader;
    const char *at, *end;
    Err *err;
} Parser;

static bool damaged(Parser *p, const char *what) {
    char near[24];
    text_printable(p->at, (size_t)(p->end - p->at), near, sizeof near);
    return err_set(p->err, "%s: damaged .npy header: %s at '%s'", p->reader->name, what,
                   near);
}

static void skip_space(Parser *p) {
    while (p->at < p->end && strchr(" \t\n\r", *p->at) && *p->at) p->at++;
}

static bool accept(Parser *p, const char *word) {
    size_t length = strlen(word);
    skip_space(p);
    if ((size_t)(p->end - p->at) < length || memcmp(p->at, word, length) != 0)
        return false;
    p->at += length;
    return true;
}

static bool expect(Parser *p, const char *word) {
    char what[32];
    if (accept(p, word)) return true;
    snprintf(what, sizeof what, "'%s' expected", word);
    return damaged(p, what);
}

/* A quoted string without escapes, into text. */
static bool parse_string(Parser *p, char *text, size_t size) {
    skip_space(p);
    char quote = p->at < p->end ? *p->at : 0;
    if (quote != '\'' && quote != '"') return damaged(p, "a string expected");
    const char *from = p->at + 1;
    const char *close = memchr(from, quote, (size_t)(p->end - from));
    if (!close) return damaged(p, "a string without end");
    text_printable(from, (size_t)(close - from), text, size);
    p->at = close + 1;
    return true;
}

static bool parse_size(Parser *p, int64_t *size) {
    int64_t value = 0;
    skip_space(p);
    if (p->at >= p->end || *p->at < '0' || *p->at > '9')
        return damaged(p, "a size expected");
    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++) {
        if (value > (INT64_MAX - 9) / 10) return damaged(p, "a size that is too large");
        value = value * 10 + (*p->at - '0');
    }
    accept(p, "L"); /* Python 2 wrote long integers so */
    *size = value;
    return true;
}

static bool parse_shape(Parser *p, Shape *shape) {
    *shape = (Shape){0};
    if (!expect(p, "(")) return false;
    while (!accept(p, ")")) {
        int64_t size = 0;
        if (!parse_size(p, &size)) return false;
        if (shape->ndim == SHAPE_MAX)
            return err_set(p->err, "%s: the array has more than %d axes", p->reader->name,
                           SHAPE_MAX);
        shape->dim[shape->ndim++] = size;
        if (!accept(p, ",")) return expect(p, ")");
    }
    return true;
}

static bool parse_descr(Parser *p, NpyHeader *header) {
    char text[32];
    int64_t bytes = 0;
    skip_space(p);
    if (p->at < p->end && (*p->at == '[' || *p->at == '('))
        return err_set(p->err, "%s: structured arrays (records) cannot be read",
                       p->reader->name);
    if (!parse_string(p, text, sizeof text)) return false;
    char order = text[0] && strchr("<>|=", text[0]) ? text[0] : '=';
    const char *kind = order == text[0] ? text + 1 : text;
    const char *digits = *kind ? kind + 1 : kind;
    for (; *digits >= '0' && *digits <= '9' && bytes < 1000; digits++)
        bytes = bytes * 10 + (*digits - '0');
    if (*kind == 'O')
        return err_set(p->err,
                       "%s: holds Python objects, which are never loaded (pickle can "
                       "run code); save plain numbers",
                       p->reader->name);
    if (*digits || !element_find(*kind, bytes, &header->element))
        return err_set(p->err,
                       "%s: dtype '%s' cannot be read; booleans, integers and floats "
                       "of 16, 32 and 64 bits can",
                       p->reader->name, text);
    header->swap = bytes > 1 && order == (HOST_BIG_ENDIAN ? '<' : '>');
    return true;
}

static bool parse_order(Parser *p, bool *fortran) {
    *fortran = accept(p, "True");
    return *fortran || accept(p, "False") || damaged(p, "True or False expected");
}

static bool parse_header(Parser *p, NpyHeader *header) {
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    int seen = 0;
    if (!expect(p, "{")) return false;
    while (!accept(p, "}")) {
        char key[32];
        int which = 0;
        if (!parse_string(p, key, sizeof key)) return false;
        while (which < 3 && strcmp(key, keys[which]) != 0) which++;
        if (which == 3 || seen & 1 << which) return damaged(p, "an unexpected key");
        seen |= 1 << which;
        if (!expect(p, ":")) return false;
        if (which == 0 && !parse_descr(p, header)) return false;
        if (which == 1 && !parse_order(p, &header->fortran)) return false;
        if (which == 2 && !parse_shape(p, &header->shape)) return false;
        if (accept(p, ",")) continue;
        if (!expect(p, "}")) return false;
        break;
    }
    skip_space(p);
    if (p->at != p->end) return damaged(p, "text after the end");
    for (int k = 0; k < 3; k++)
        if (!(seen & 1 << k))
            return err_set(p->err, "%s: damaged .npy header: no '%s'", p->reader->name,
                           keys[k]);
    return true;
}

/* The first bytes tell which kind of file this is; a mistaken one gets a hint. */
static bool check_magic(const Reader *reader, const unsigned char *start, Err *err) {
    if (memcmp(start, magic, MAGIC) == 0) {
        if (start[6] >= 1 && start[6] <= 3) return true;
        return err_set(err, "%s: .npy version %d.%d is not known", reader->name, start[6],
                       start[7]);
    }
    if (memcmp(start, "PK", 2) == 0)
        return err_set(err,
                       "%s: a zip archive (.npz), not a .npy file; read it with loadz",
                       reader->name);
    return err_set(err, "%s: not a .npy file (it does not begin with '\\x93NUMPY')",
                   reader->name);
}

bool npy_header_read(Reader *reader, NpyHeader *out, Err *err) {
    unsigned char start[12];
    NpyHeader header = {0};
    if (reader->most < 10)
        return err_set(err, "%s: not a .npy file (it is shorter than a header)",
                       reader->name);
    if (!reader_take(reader, start, 8, err) || !check_magic(reader, start, err))
        return false;
    size_t width = start[6] == 1 ? 2 : 4, length = 0;
    if (!reader_take(reader, start, width, err)) return false;
    for (size_t k = width; k-- > 0;) length = length << 8 | start[k];
    if (length > LONGEST || length > reader->most)
        return err_set(err, "%s: damaged .npy header: its length is given as %zu bytes",
                       reader->name, length);
    char *text = mem_alloc(length ? length : 1);
    if (!text) return err_set(err, "%s: not enough memory to read it", reader->name);
    Parser parser = {reader, text, text + length, err};
    bool ok = reader_take(reader, text, length, err) && parse_header(&parser, &header);
    mem_free(text);
    if (ok) *out = header;
    return ok;
}

size_t npy_header_write(const Tensor *tensor, char header[NPY_HEADER]) {
    Element element = element_of(tensor->dtype);
    int size = (int)element_size(element);
    char *text = header + 10;
    size_t room = NPY_HEADER - 10;
    char order = size == 1 ? '|' : HOST_BIG_ENDIAN ? '>' : '<';
    int at =
        snprintf(text, room, "{'descr': '%c%c%d', 'fortran_order': False, 'shape': (",
                 order, element_kind(element), size);
    for (int k = 0; k < tensor->shape.ndim; k++)
        at += snprintf(text + at, room - (size_t)at, "%s%" PRId64, k ? ", " : "",
                       tensor->shape.dim[k]);
    at += snprintf(text + at, room - (size_t)at, "%s), }",
                   tensor->shape.ndim == 1 ? "," : "");
    /* Padded with spaces so that the data begin at a multiple of 64; the last is a line
     * end. */
    size_t whole = (10 + (size_t)at + 1 + ALIGN - 1) / ALIGN * ALIGN, length = whole - 10;
    memset(text + at, ' ', length - (size_t)at);
    text[length - 1] = '\n';
    memcpy(header, magic, MAGIC);
    header[6] = 1, header[7] = 0;
    header[8] = (char)(length & 255), header[9] = (char)(length >> 8);
    return whole;
}
