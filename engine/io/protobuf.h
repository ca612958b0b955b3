/* The few bytes of which protobuf messages are made. Each function writes at a place and gives the
 * place behind it; the room is the caller's. */
#ifndef CDL_IO_PROTOBUF_H
#define CDL_IO_PROTOBUF_H
#include <stdint.h>
#include <string.h>

enum { PROTO_VARINT_MAX = 10 };
enum { PROTO_VARINT = 0, PROTO_FIXED64 = 1, PROTO_BYTES = 2, PROTO_FIXED32 = 5 };

static inline char *proto_varint(char *at, uint64_t value) {
    for (; value >= 128; value >>= 7) *at++ = (char)(value | 128);
    *at++ = (char)value;
    return at;
}

static inline char *proto_key(char *at, int field, int wire) {
    return proto_varint(at, (uint64_t)field << 3 | (uint64_t)wire);
}

static inline char *proto_double(char *at, int field, double value) {
    at = proto_key(at, field, PROTO_FIXED64);
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

static inline char *proto_float(char *at, int field, float value) {
    at = proto_key(at, field, PROTO_FIXED32);
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

/* The head of a field of so many bytes, which follow. */
static inline char *proto_bytes(char *at, int field, size_t bytes) {
    return proto_varint(proto_key(at, field, PROTO_BYTES), bytes);
}

static inline size_t proto_varint_size(uint64_t value) {
    size_t bytes = 1;
    for (; value >= 128; value >>= 7) bytes++;
    return bytes;
}

#endif
