#include "test.h"
#include "base/mem.h"
#include "data/tensor_source.h"

static Tensor numbers(int64_t rows, int64_t width, float first) {
    Tensor t = {0};
    tensor_new(&t, DTYPE_FLOAT32, shape_of(2, rows, width), NULL);
    for (int64_t i = 0; i < rows * width; i++) ((float *)t.data)[i] = first + (float)i;
    return t;
}

static float value_at(const Batch *batch, int part, int64_t row) {
    const BatchPart *p = &batch->part[part];
    int64_t width = p->shape.dim[1];
    return ((const float *)p->base)[(p->rows ? p->rows[row] : row) * width];
}

static void in_order_without_copies(void) {
    Tensor leaf[2] = {numbers(10, 3, 0), numbers(10, 1, 100)};
    Err err = {0};
    Source *source = tensor_source_new(2, leaf, (TensorSourceOptions){.batch = 4}, &err);
    CHECK(source && source->batches == 3 && source->rows == 10);
    CHECK(source_ended(source)); /* not begun */
    for (int pass = 1; pass <= 2; pass++) {
        Batch batch;
        int64_t sizes[] = {4, 4, 2}, first = 0;
        CHECK(source_start(source, pass, &err));
        for (int k = 0; k < 3; k++) {
            CHECK(!source_ended(source));
            CHECK(source_next(source, &batch, &err) == SOURCE_BATCH);
            CHECK(batch.rows == sizes[k] && batch.parts == 2);
            CHECK(batch.part[0].shape.dim[0] == sizes[k] &&
                  batch.part[0].shape.dim[1] == 3);
            CHECK(batch.part[0].rows == NULL);
            CHECK(batch.part[0].base == leaf[0].data + first * 3 * 4);
            CHECK(value_at(&batch, 1, 0) == 100.0f + (float)first);
            first += sizes[k];
        }
        CHECK(source_ended(source));
        CHECK(source_next(source, &batch, &err) == SOURCE_END);
    }
    source_free(source);
    tensor_release(&leaf[0]);
    tensor_release(&leaf[1]);
}

static void shuffled_rows_belong_together(void) {
    Tensor leaf[2] = {numbers(100, 1, 0), numbers(100, 1, 1000)};
    TensorSourceOptions options = {
        .batch = 16, .shuffle = SHUFFLE_ROWS, .seed = 3, .fit = 1};
    Source *source = tensor_source_new(2, leaf, options, NULL);
    float first_of[3];
    for (int pass = 1; pass <= 3; pass++) {
        double sum = 0;
        Batch batch;
        source_start(source, pass == 3 ? 1 : pass, NULL);
        for (int k = 0; source_next(source, &batch, NULL) == SOURCE_BATCH; k++) {
            if (k == 0)
                first_of[pass - 1] =
                    value_at(&batch, 0, 0) * 100 + value_at(&batch, 0, 1);
            for (int64_t row = 0; row < batch.rows; row++) {
                CHECK(value_at(&batch, 1, row) == value_at(&batch, 0, row) + 1000);
                sum += value_at(&batch, 0, row);
            }
        }
        CHECK(sum == 4950);
    }
    CHECK(first_of[0] != first_of[1]); /* another pass, another order */
    CHECK(first_of[0] == first_of[2]); /* the same pass again, the same */
    source_free(source);
    tensor_release(&leaf[0]);
    tensor_release(&leaf[1]);
}

static bool backwards(void *context, int64_t pass, int64_t n, int64_t *rows, Err *err) {
    int64_t last = *(int64_t *)context;
    for (int64_t i = 0; i < n; i++) rows[i] = last - i % (last + 1);
    return pass < 3 || err_set(err, "no third pass");
}

static void an_order_of_ones_own(void) {
    Tensor leaf = numbers(4, 1, 0);
    int64_t last = 3;
    TensorSourceOptions options = {.batch = 4,
                                   .shuffle = SHUFFLE_ROWS, /* the order goes before */
                                   .order = {backwards, &last, 6}};
    Source *source = tensor_source_new(1, &leaf, options, NULL);
    Batch batch;
    CHECK(source->rows == 6 && source->batches == 2);
    CHECK(source_start(source, 1, NULL));
    CHECK(source_next(source, &batch, NULL) == SOURCE_BATCH && batch.rows == 4);
    for (int64_t row = 0; row < 4; row++)
        CHECK(value_at(&batch, 0, row) == 3.0f - (float)row);
    CHECK(source_next(source, &batch, NULL) == SOURCE_BATCH && batch.rows == 2);
    CHECK(value_at(&batch, 0, 0) == 3 && value_at(&batch, 0, 1) == 2);
    CHECK(source_next(source, &batch, NULL) == SOURCE_END);
    Err err = {0}, err2 = {0};
    CHECK(!source_start(source, 3, &err) && source_ended(source));
    CHECK_TEXT(err.text, "no third pass");
    last = 4;
    CHECK(!source_start(source, 2, &err2));
    CHECK_TEXT(err2.text, "row 1 of the pass is number 4; there are 4");
    source_free(source);
    tensor_release(&leaf);
}

static void a_remainder_may_be_dropped(void) {
    Tensor leaf = numbers(10, 1, 0);
    Shuffle shuffles[] = {SHUFFLE_NONE, SHUFFLE_ROWS};
    bool last_seen = false;
    for (int i = 0; i < 2; i++) {
        TensorSourceOptions options = {
            .batch = 4, .shuffle = shuffles[i], .seed = 2, .drop_remainder = true};
        Source *source = tensor_source_new(1, &leaf, options, NULL);
        CHECK(source->rows == 8 && source->batches == 2);
        for (int pass = 1; pass <= 10; pass++) {
            Batch batch;
            int batches = 0;
            source_start(source, pass, NULL);
            for (; source_next(source, &batch, NULL) == SOURCE_BATCH; batches++)
                for (int64_t row = 0; row < batch.rows; row++)
                    last_seen |= value_at(&batch, 0, row) == 9;
            CHECK(batches == 2);
        }
        CHECK(last_seen == (shuffles[i] == SHUFFLE_ROWS)); /* not always the same rows */
        source_free(source);
    }
    Err err = {0};
    TensorSourceOptions too_few = {.batch = 11, .drop_remainder = true};
    CHECK(!tensor_source_new(1, &leaf, too_few, &err));
    CHECK_TEXT(err.text, "10 rows make no batch of 11");
    tensor_release(&leaf);
}

static void views_are_copied_once(void) {
    Tensor whole = numbers(3, 4, 0), turned;
    int perm[] = {1, 0};
    CHECK(tensor_permute(&whole, perm, &turned, NULL));
    Source *source =
        tensor_source_new(1, &turned, (TensorSourceOptions){.batch = 2}, NULL);
    Batch batch;
    source_start(source, 1, NULL);
    CHECK(source_next(source, &batch, NULL) == SOURCE_BATCH);
    CHECK(batch.part[0].shape.dim[1] == 3);
    CHECK(((const float *)batch.part[0].base)[1] == 4); /* turned[0][1] = whole[1][0] */
    CHECK(((const float *)batch.part[0].base)[3] == 1);
    source_free(source);
    tensor_release(&turned);
    tensor_release(&whole);
}

static void refuses_what_is_no_data(void) {
    Tensor a = numbers(10, 1, 0), b = numbers(9, 1, 0), empty = {0}, scalar = {0};
    tensor_new(&empty, DTYPE_FLOAT32, shape_of(2, (int64_t)0, (int64_t)3), NULL);
    tensor_new(&scalar, DTYPE_FLOAT32, shape_of(0), NULL);
    TensorSourceOptions options = {.batch = 4};
    Tensor pair[] = {a, b};
    Err err = {0}, err2 = {0}, err3 = {0};
    CHECK(!tensor_source_new(2, pair, options, &err));
    CHECK_TEXT(err.text, "array 2 has 9 samples, array 1 has 10");
    CHECK(!tensor_source_new(1, &empty, options, &err2));
    CHECK_TEXT(err2.text, "shape {0, 3} has no samples");
    CHECK(!tensor_source_new(1, &scalar, options, &err3));
    CHECK_TEXT(err3.text, "scalar");
    tensor_release(&a);
    tensor_release(&b);
    tensor_release(&empty);
    tensor_release(&scalar);
}

static void every_allocation_may_fail(void) {
    Tensor leaf[2] = {numbers(10, 3, 0), numbers(10, 1, 100)};
    TensorSourceOptions options = {.batch = 4, .shuffle = SHUFFLE_ROWS};
    int64_t alive = tensor_alive();
    size_t bytes = mem_bytes();
    int failed = 0;
    for (int n = 1; n < 50; n++) {
        Err err = {0};
        mem_fail_at(n);
        Source *source = tensor_source_new(2, leaf, options, &err);
        mem_fail_at(0);
        if (source) {
            source_free(source);
            break;
        }
        failed++;
        CHECK_TEXT(err.text, "memory");
        CHECK(tensor_alive() == alive && mem_bytes() == bytes);
    }
    CHECK(failed == 5);
    CHECK(mem_bytes() == bytes);
    tensor_release(&leaf[0]);
    tensor_release(&leaf[1]);
}

TEST_MAIN(in_order_without_copies, shuffled_rows_belong_together, an_order_of_ones_own,
          a_remainder_may_be_dropped, views_are_copied_once, refuses_what_is_no_data,
          every_allocation_may_fail)
