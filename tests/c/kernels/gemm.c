/* Matrix products: every instruction set that this CPU has against plain loops in double
 * precision, for all transposes, batches and edges; and the same bits however the work is
 * cut and in whatever order the parts run. */
#include <stdlib.h>
#include "base/philox.h"
#include "kernels/blas.h"
#include "kernels/call.h"
#include "kernels/isa.h"
#include "test.h"

extern const Kernel kernel_matmul_base, kernel_dense_base;
#if defined(__x86_64__)
extern const Kernel kernel_matmul_avx2, kernel_dense_avx2;
extern const Kernel kernel_matmul_avx512, kernel_dense_avx512;
static const Kernel *const matmuls[] = {&kernel_matmul_base, &kernel_matmul_avx2,
                                        &kernel_matmul_avx512};
static const Kernel *const denses[] = {&kernel_dense_base, &kernel_dense_avx2,
                                       &kernel_dense_avx512};
#else
static const Kernel *const matmuls[] = {&kernel_matmul_base};
static const Kernel *const denses[] = {&kernel_dense_base};
#endif
enum { ISAS = sizeof matmuls / sizeof *matmuls };

static uint32_t random_word(void) {
    static uint64_t counter;
    return philox(7, 0, counter++).word[0];
}
static int64_t random_between(int64_t low, int64_t high) {
    return low + (int64_t)(random_word() % (uint64_t)(high - low + 1));
}

/* An operand with memory of its own, whose end is the end of its block, so that the
 * sanitizer sees a read or write beyond it. */
static Operand operand_new(DType dtype, Shape shape) {
    Operand o = {.dtype = dtype, .shape = shape, .size = shape_size(&shape)};
    size_t bytes = (size_t)o.size * dtype_size(dtype);
    o.data = malloc(bytes ? bytes : 1);
    for (int64_t i = 0; i < o.size; i++)
        dtype_store(dtype, (char *)o.data + i * (int64_t)dtype_size(dtype),
                    2 * (double)philox_unit(random_word()) - 1);
    return o;
}
static double at(const Operand *o, int64_t i) {
    return dtype_load(o->dtype,
                      (const char *)o->data + i * (int64_t)dtype_size(o->dtype));
}
static void operands_free(Call *call) {
    for (int k = 0; k < call->n_in; k++) free(call->in[k].data);
    for (int k = 0; k < call->n_out; k++) free(call->out[k].data);
}

/* Runs all parts, from the first to the last or in a scattered order. */
static void call_run(const Kernel *kernel, Call *call, bool scattered) {
    memset(call->note, 0, sizeof call->note);
    if (kernel->prepare) kernel->prepare(call);
    CHECK(!kernel->scratch || !kernel->scratch(call));
    int64_t parts = kernel->phase[0].parts ? kernel->phase[0].parts(call) : 1;
    CHECK(parts >= 1);
    for (int64_t i = 0; i < parts; i++) {
        int64_t step = parts % 7 ? 7 : 1;
        kernel->phase[0].run(call, scattered ? (parts - 1 - i) * step % parts : i);
    }
}

/* The batch of an operand that belongs to batch `index` of the output. */
static int64_t batch_of(const Operand *o, const Operand *out, int64_t index) {
    int64_t batch = 0, stride = 1;
    for (int k = o->shape.ndim - 3, j = out->shape.ndim - 3; k >= 0; k--, j--) {
        int64_t i = index % out->shape.dim[j];
        index /= out->shape.dim[j];
        batch += (o->shape.dim[k] == 1 ? 0 : i) * stride;
        stride *= o->shape.dim[k];
    }
    return batch;
}

/* Every element within the rounding of K additions of numbers below 1. */
static void check_matmul(const Call *call, int64_t M, int64_t N, int64_t K) {
    const Operand *a = &call->in[0], *b = &call->in[1], *c = &call->out[0];
    double tolerance = (c->dtype == DTYPE_FLOAT32 ? 1e-7 : 2e-16) * (double)(K + 1);
    double worst = 0;
    for (int64_t i = 0; i < c->size; i++) {
        int64_t batch = i / (M * N), m = i / N % M, n = i % N;
        int64_t oa = batch_of(a, c, batch) * M * K, ob = batch_of(b, c, batch) * K * N;
        double sum = 0;
        for (int64_t k = 0; k < K; k++)
            sum += at(a, oa + (call->attrs.i[0] ? k * M + m : m * K + k)) *
                   at(b, ob + (call->attrs.i[1] ? n * K + k : k * N + n));
        worst = fmax(worst, fabs(sum - at(c, i)));
        if (isnan(at(c, i))) worst = INFINITY;
    }
    CHECK_NEAR(worst, 0, tolerance);
}

/* a and b have the given batch axes in front of the matrices. */
static void try_matmul(DType dtype, const Shape *a_batch, const Shape *b_batch, int64_t M,
                       int64_t N, int64_t K, int ta, int tb) {
    Shape a = *a_batch, b = *b_batch, c = {0};
    if (!shape_broadcast(&a, &b, &c, NULL)) {
        CHECK(!"batch axes broadcast");
        return;
    }
    a.dim[a.ndim++] = ta ? K : M, a.dim[a.ndim++] = ta ? M : K;
    b.dim[b.ndim++] = tb ? N : K, b.dim[b.ndim++] = tb ? K : N;
    c.dim[c.ndim++] = M, c.dim[c.ndim++] = N;
    Operand in[2] = {operand_new(dtype, a), operand_new(dtype, b)};
    Operand out[1] = {operand_new(dtype, c)};
    Call call = {.attrs = {.i = {ta, tb}}, .n_in = 2, .n_out = 1, .in = in, .out = out};
    size_t bytes = (size_t)out->size * dtype_size(dtype);
    char *first = malloc(bytes ? bytes : 1);
    for (int isa = 0; isa < ISAS; isa++) {
        if (!isa_supported((Isa)isa)) continue;
        call_run(matmuls[isa], &call, false);
        check_matmul(&call, M, N, K);
        memcpy(first, out->data, bytes);
        call_run(matmuls[isa], &call, true);
        CHECK(!memcmp(first, out->data, bytes));
    }
    free(first);
    operands_free(&call);
}

static void edges(void) {
    const Shape none = {0};
    for (int i = 0; i < 240; i++) {
        int64_t high = i % 3 ? 40 : 130;
        int64_t M = random_between(1, high), N = random_between(1, high);
        int64_t K = random_between(1, i % 5 ? high : 300);
        try_matmul(i & 4 ? DTYPE_FLOAT64 : DTYPE_FLOAT32, &none, &none, M, N, K, i & 1,
                   i >> 1 & 1);
    }
}

/* Each number of rows and of columns around the sizes of tiles and vectors. */
static void tiles(void) {
    const Shape none = {0};
    for (int64_t n = 1; n <= 34; n++) {
        DType dtype = n & 1 ? DTYPE_FLOAT32 : DTYPE_FLOAT64;
        try_matmul(dtype, &none, &none, n, 70 - n, 5, 0, 0);
        try_matmul(dtype, &none, &none, 40 - n, n, 3, 1, n & 2);
    }
}

/* One and two rows, with whole vectors of columns and what is left of them. */
static void thin(void) {
    const Shape none = {0};
    static const int64_t columns[] = {1, 3, 8, 15, 16, 64, 100, 128, 130, 256, 260, 500};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        for (int64_t depth = 1; depth <= 9; depth++) {
            DType dtype = depth & 1 ? DTYPE_FLOAT32 : DTYPE_FLOAT64;
            try_matmul(dtype, &none, &none, 1, columns[i], depth, 0, 0);
            try_matmul(dtype, &none, &none, 2, columns[i], 3 * depth, depth & 2, 0);
        }
    try_matmul(DTYPE_FLOAT32, &none, &none, 1, 1300, 300, 0, 0);
}

/* Several blocks of rows, of columns (both widths) and of the depth. */
static void blocks(void) {
    const Shape none = {0};
    try_matmul(DTYPE_FLOAT32, &none, &none, 300, 130, 200, 0, 0);
    try_matmul(DTYPE_FLOAT32, &none, &none, 130, 520, 129, 1, 0);
    try_matmul(DTYPE_FLOAT64, &none, &none, 270, 70, 257, 0, 1);
    try_matmul(DTYPE_FLOAT32, &none, &none, 1030, 1050, 6, 0, 1);
    try_matmul(DTYPE_FLOAT64, &none, &none, 1030, 1050, 5, 1, 0);
    try_matmul(DTYPE_FLOAT32, &none, &none, 2, 3000, 70, 0, 0);
    try_matmul(DTYPE_FLOAT32, &none, &none, 3000, 1, 70, 0, 0);
}

/* Columns of a that lie a multiple of 4 KiB apart, which some kernels pack. */
static void aliases(void) {
    const Shape none = {0}, two = shape_of(1, 2L);
    try_matmul(DTYPE_FLOAT32, &none, &none, 1024, 70, 130, 1, 0);
    try_matmul(DTYPE_FLOAT32, &two, &none, 1024, 33, 7, 1, 1);
    try_matmul(DTYPE_FLOAT64, &none, &none, 512, 40, 131, 1, 0);
    try_matmul(DTYPE_FLOAT64, &none, &none, 1024, 129, 3, 1, 1);
}

static void batches(void) {
    const Shape none = {0}, three = shape_of(1, 3L), column = shape_of(2, 2L, 1L);
    const Shape row = shape_of(1, 4L), full = shape_of(2, 2L, 4L),
                many = shape_of(1, 900L);
    for (int t = 0; t < 4; t++) {
        DType dtype = t & 1 ? DTYPE_FLOAT64 : DTYPE_FLOAT32;
        try_matmul(dtype, &three, &none, 7, 9, 11, t & 1, t >> 1);
        try_matmul(dtype, &none, &three, 7, 20, 11, t & 1, t >> 1);
        try_matmul(dtype, &column, &row, 5, 6, 7, t & 1, t >> 1);
        try_matmul(dtype, &full, &column, 3, 17, 2, t & 1, t >> 1);
        try_matmul(dtype, &row, &full, 100, 70, 60, t & 1, t >> 1);
        try_matmul(dtype, &many, &many, 8, 4, 8, t & 1, t >> 1);
    }
}

/* An empty sum is zero; an empty product has nothing to write. */
static void empty(void) {
    const Shape none = {0}, no_batch = shape_of(1, 0L), two = shape_of(1, 2L);
    try_matmul(DTYPE_FLOAT32, &none, &none, 5, 7, 0, 0, 0);
    try_matmul(DTYPE_FLOAT64, &two, &two, 3, 9, 0, 1, 1);
    try_matmul(DTYPE_FLOAT32, &none, &none, 0, 7, 3, 0, 0);
    try_matmul(DTYPE_FLOAT32, &none, &none, 5, 0, 3, 0, 1);
    try_matmul(DTYPE_FLOAT32, &no_batch, &none, 5, 4, 3, 0, 0);
}

/* Each element is a chain of its own: a product of some rows and columns has the bits
 * that the whole has there. */
static void cuts_keep_bits(void) {
    enum { M = 200, N = 150, K = 300 };
    Operand in[2] = {operand_new(DTYPE_FLOAT32, shape_of(2, (int64_t)M, (int64_t)K)),
                     operand_new(DTYPE_FLOAT32, shape_of(2, (int64_t)K, (int64_t)N))};
    Operand out[1] = {operand_new(DTYPE_FLOAT32, shape_of(2, (int64_t)M, (int64_t)N))};
    Call call = {.n_in = 2, .n_out = 1, .in = in, .out = out};
    for (int isa = 0; isa < ISAS; isa++) {
        if (!isa_supported((Isa)isa)) continue;
        call_run(matmuls[isa], &call, false);
        for (int i = 0; i < 12; i++) {
            int64_t row = random_between(0, M - 2);
            int64_t rows = i < 4 ? 1 + i % 2 : random_between(1, M - row);
            int64_t column = random_between(0, N - 1);
            int64_t columns = random_between(1, N - column);
            Operand some[2] = {
                operand_new(DTYPE_FLOAT32, shape_of(2, rows, (int64_t)K)),
                operand_new(DTYPE_FLOAT32, shape_of(2, (int64_t)K, columns))};
            Operand part[1] = {operand_new(DTYPE_FLOAT32, shape_of(2, rows, columns))};
            memcpy(some[0].data, (float *)in[0].data + row * K,
                   sizeof(float[K]) * (size_t)rows);
            for (int64_t k = 0; k < K; k++)
                memcpy((float *)some[1].data + k * columns,
                       (float *)in[1].data + k * N + column,
                       sizeof(float) * (size_t)columns);
            Call piece = {.n_in = 2, .n_out = 1, .in = some, .out = part};
            call_run(matmuls[isa], &piece, false);
            int64_t different = 0;
            for (int64_t m = 0; m < rows; m++)
                different += memcmp((float *)part->data + m * columns,
                                    (float *)out->data + (row + m) * N + column,
                                    sizeof(float) * (size_t)columns) != 0;
            CHECK(different == 0);
            operands_free(&piece);
        }
    }
    operands_free(&call);
}

static double activate(int kind, double x) {
    switch (kind) {
    case 1:
        return x > 0 ? x : 0;
    case 2:
        return tanh(x);
    case 3:
        return 1 / (1 + exp(-x));
    default:
        return x;
    }
}

static void try_dense(DType dtype, Shape x, int64_t N, int activation) {
    int64_t K = x.dim[x.ndim - 1];
    Shape y = x;
    y.dim[y.ndim - 1] = N;
    Operand in[3] = {operand_new(dtype, x), operand_new(dtype, shape_of(2, K, N)),
                     operand_new(dtype, shape_of(1, N))};
    Operand out[1] = {operand_new(dtype, y)};
    /* matmul has matrices alone. */
    Operand matrices[2] = {in[0], in[1]};
    matrices[0].shape = shape_of(2, N ? out->size / N : 0, K);
    Operand sums[1] = {operand_new(dtype, shape_of(2, matrices[0].shape.dim[0], N))};
    Call call = {
        .attrs = {.i = {activation}}, .n_in = 3, .n_out = 1, .in = in, .out = out};
    Call product = {.n_in = 2, .n_out = 1, .in = matrices, .out = sums};
    size_t bytes = (size_t)out->size * dtype_size(dtype);
    char *first = malloc(bytes ? bytes : 1);
    for (int isa = 0; isa < ISAS; isa++) {
        if (!isa_supported((Isa)isa)) continue;
        call_run(denses[isa], &call, false);
        call_run(matmuls[isa], &product, false);
        double worst = 0, tolerance = dtype == DTYPE_FLOAT32 ? 5e-7 : 1e-15;
        for (int64_t i = 0; i < out->size; i++) {
            double sum = at(sums, i) + at(&in[2], i % N);
            if (dtype == DTYPE_FLOAT32) sum = (float)sum;
            double difference = fabs(activate(activation, sum) - at(out, i));
            worst = fmax(worst, isnan(difference) ? INFINITY : difference);
        }
        /* Without a transcendental function dense has the bits of its three steps. */
        CHECK_NEAR(worst, 0, activation < 2 ? 0 : tolerance);
        memcpy(first, out->data, bytes);
        call_run(denses[isa], &call, true);
        CHECK(!memcmp(first, out->data, bytes));
    }
    free(first);
    free(sums->data);
    operands_free(&call);
}

static void dense(void) {
    for (int activation = 0; activation < 4; activation++)
        for (int d = 0; d < 2; d++) {
            DType dtype = d ? DTYPE_FLOAT64 : DTYPE_FLOAT32;
            try_dense(dtype, shape_of(2, 128L, 300L), 70, activation);
            try_dense(dtype, shape_of(2, 8L, 4L), 1, activation);
            try_dense(dtype, shape_of(1, 10L), 33, activation);
            try_dense(dtype, shape_of(2, 2L, 21L), 300, activation);
            try_dense(dtype, shape_of(3, 5L, 30L, 17L), 10, activation);
            try_dense(dtype, shape_of(2, 3L, 0L), 5, activation);
            try_dense(dtype, shape_of(2, 0L, 4L), 5, activation);
        }
}

/* relu keeps what is not a number, and -inf becomes 0. */
static void special_values(void) {
    for (int isa = 0; isa < ISAS; isa++) {
        if (!isa_supported((Isa)isa)) continue;
        float x[3] = {NAN, -INFINITY, INFINITY}, w[1] = {1}, b[1] = {1}, y[3];
        Operand in[3] = {{x, 3, DTYPE_FLOAT32, shape_of(2, 3L, 1L)},
                         {w, 1, DTYPE_FLOAT32, shape_of(2, 1L, 1L)},
                         {b, 1, DTYPE_FLOAT32, shape_of(1, 1L)}};
        Operand out[1] = {{y, 3, DTYPE_FLOAT32, shape_of(2, 3L, 1L)}};
        Call call = {.attrs = {.i = {1}}, .n_in = 3, .n_out = 1, .in = in, .out = out};
        call_run(denses[isa], &call, false);
        CHECK(isnan(y[0]) && y[1] == 0 && y[2] == INFINITY);
    }
}

/* The library, where there is one: the baseline and AVX2 kernels leave very large
 * products to it. Looks at some elements only. */
static void try_large(DType dtype, int64_t M, int64_t N, int64_t K, int ta, int tb) {
    Operand in[2] = {operand_new(dtype, ta ? shape_of(2, K, M) : shape_of(2, M, K)),
                     operand_new(dtype, tb ? shape_of(2, N, K) : shape_of(2, K, N))};
    Operand out[1] = {operand_new(dtype, shape_of(2, M, N))};
    Call call = {.attrs = {.i = {ta, tb}}, .n_in = 2, .n_out = 1, .in = in, .out = out};
    for (int isa = 0; isa < ISAS; isa++) {
        if (!isa_supported((Isa)isa)) continue;
        memset(out->data, 0xff, (size_t)out->size * dtype_size(dtype));
        call_run(matmuls[isa], &call, true);
        double worst = 0;
        for (int i = 0; i < 400; i++) {
            int64_t m = random_between(0, M - 1), n = random_between(0, N - 1);
            double sum = 0, got = at(out, m * N + n);
            for (int64_t k = 0; k < K; k++)
                sum += at(&in[0], ta ? k * M + m : m * K + k) *
                       at(&in[1], tb ? n * K + k : k * N + n);
            worst = fmax(worst, isnan(got) ? INFINITY : fabs(got - sum));
        }
        CHECK_NEAR(worst, 0, (dtype == DTYPE_FLOAT32 ? 1e-7 : 2e-16) * (double)K);
    }
    operands_free(&call);
}

static void library(void) {
    char text[512];
    CHECK(strlen(blas_description(text, sizeof text)) > 0);
    CHECK((strcmp(text, "none") == 0) == (blas_get() == NULL));
    CHECK(blas_get() == blas_get());
    try_large(DTYPE_FLOAT32, 1000, 1100, 1000, 0, 1);
    try_large(DTYPE_FLOAT32, 1024, 1050, 1024, 1, 0);
    try_large(DTYPE_FLOAT64, 1200, 1000, 900, 0, 0);
}

static void cost_grows(void) {
    Operand small[2] = {
        {.dtype = DTYPE_FLOAT32, .shape = shape_of(2, 8L, 4L), .size = 32},
        {.dtype = DTYPE_FLOAT32, .shape = shape_of(2, 4L, 1L), .size = 4}};
    Operand small_out = {.dtype = DTYPE_FLOAT32, .shape = shape_of(2, 8L, 1L), .size = 8};
    Operand large[2] = {
        {.dtype = DTYPE_FLOAT32, .shape = shape_of(2, 512L, 512L), .size = 1 << 18},
        {.dtype = DTYPE_FLOAT32, .shape = shape_of(2, 512L, 512L), .size = 1 << 18}};
    Operand large_out = {
        .dtype = DTYPE_FLOAT32, .shape = shape_of(2, 512L, 512L), .size = 1 << 18};
    Call a = {.n_in = 2, .n_out = 1, .in = small, .out = &small_out};
    Call b = {.n_in = 2, .n_out = 1, .in = large, .out = &large_out};
    for (int isa = 0; isa < ISAS; isa++) {
        matmuls[isa]->prepare(&a), matmuls[isa]->prepare(&b);
        CHECK(matmuls[isa]->cost(&a) < 200 && matmuls[isa]->phase[0].parts(&a) == 1);
        CHECK(matmuls[isa]->cost(&b) > 1e5 && matmuls[isa]->phase[0].parts(&b) >= 8);
    }
}

TEST_MAIN(edges, tiles, thin, blocks, aliases, batches, empty, cuts_keep_bits, dense,
          special_values, library, cost_grows)
