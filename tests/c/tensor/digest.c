#include "tensor/digest.h"
#include "test.h"

static uint64_t digest_of(const Tensor *tensor) {
    uint64_t digest = DIGEST_START;
    Err err = {0};
    CHECK(tensor_digest(tensor, &digest, &err));
    return digest;
}

static Tensor counting(DType dtype, Shape shape) {
    Tensor t = {0};
    Err err = {0};
    CHECK(tensor_new(&t, dtype, shape, &err));
    for (int64_t i = 0; i < tensor_size(&t); i++)
        dtype_store(dtype, t.data + (size_t)i * dtype_size(dtype), (double)i);
    return t;
}

static void knows_every_element(void) {
    Tensor t = counting(DTYPE_UINT8, shape_of(1, 77L));
    uint64_t first = digest_of(&t);
    CHECK(digest_of(&t) == first);
    for (int i = 0; i < 77; i++) {
        t.data[i] ^= 1;
        CHECK(digest_of(&t) != first);
        t.data[i] ^= 1;
    }
    CHECK(digest_of(&t) == first);
    tensor_release(&t);
}

static void knows_order_shape_and_dtype(void) {
    Tensor a = counting(DTYPE_FLOAT32, shape_of(2, 4L, 6L)), flat = {0}, swapped = {0};
    Tensor other = counting(DTYPE_INT32, shape_of(2, 4L, 6L)), copy = {0};
    Err err = {0};
    int perm[] = {1, 0};
    CHECK(tensor_reshape(&a, shape_of(2, 6L, 4L), &flat, &err));
    CHECK(tensor_permute(&a, perm, &swapped, &err));
    CHECK(digest_of(&a) != digest_of(&flat));
    CHECK(digest_of(&a) != digest_of(&other));
    CHECK(digest_of(&flat) != digest_of(&swapped));
    CHECK(tensor_copy(&swapped, &copy, &err));
    CHECK(digest_of(&copy) == digest_of(&swapped));
    uint64_t ab = digest_of(&a), ba = digest_of(&copy);
    CHECK(tensor_digest(&copy, &ab, &err) && tensor_digest(&a, &ba, &err));
    CHECK(ab != ba);
    tensor_release(&a);
    tensor_release(&flat);
    tensor_release(&swapped);
    tensor_release(&other);
    tensor_release(&copy);
}

TEST_MAIN(knows_every_element, knows_order_shape_and_dtype)
