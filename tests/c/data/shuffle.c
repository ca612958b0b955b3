#include "test.h"
#include "data/shuffle.h"

enum { N = 1000 };

static int is_permutation(const int64_t *rows, int64_t first, int64_t n) {
    char seen[N] = {0};
    for (int64_t i = first; i < first + n; i++) {
        if (rows[i] < first || rows[i] >= first + n || seen[rows[i]]) return 0;
        seen[rows[i]] = 1;
    }
    return 1;
}

static int differ(const int64_t *a, const int64_t *b) {
    return memcmp(a, b, N * sizeof *a) != 0;
}

static void all_rows_once(void) {
    int64_t rows[N];
    shuffle_rows((ShuffleKey){7, 1, 1}, N, rows);
    CHECK(is_permutation(rows, 0, N));
    int moved = 0;
    for (int i = 0; i < N; i++) moved += rows[i] != i;
    CHECK(moved > N - 20);
    rows[0] = 5;
    shuffle_rows((ShuffleKey){7, 1, 1}, 1, rows);
    CHECK(rows[0] == 0);
    shuffle_rows((ShuffleKey){7, 1, 1}, 0, rows); /* nothing to do */
    CHECK(rows[0] == 0);
}

static void a_function_of_its_key(void) {
    int64_t a[N], b[N];
    ShuffleKey key = {7, 2, 3}, others[] = {{8, 2, 3}, {7, 3, 3}, {7, 2, 4}};
    shuffle_rows(key, N, a);
    shuffle_rows(key, N, b);
    CHECK(!differ(a, b));
    for (int i = 0; i < 3; i++) {
        shuffle_rows(others[i], N, b);
        CHECK(differ(a, b));
        CHECK(is_permutation(b, 0, N));
    }
}

static void batches_keep_their_rows(void) {
    int64_t rows[N];
    shuffle_within((ShuffleKey){7, 1, 1}, N, 64, rows);
    int moved = 0;
    for (int64_t first = 0; first < N; first += 64)
        CHECK(is_permutation(rows, first, N - first < 64 ? N - first : 64));
    for (int i = 0; i < N; i++) moved += rows[i] != i;
    CHECK(moved > N / 2);
    /* Two batches are not permuted alike. */
    int alike = 1;
    for (int i = 0; i < 64; i++) alike &= rows[i] == rows[64 + i] - 64;
    CHECK(!alike);
}

/* Each of the 24 orders of four rows comes about as often (chi-squared, 23 degrees). */
static void orders_are_uniform(void) {
    int count[256] = {0};
    for (int pass = 0; pass < 24000; pass++) {
        int64_t rows[4];
        shuffle_rows((ShuffleKey){1, 1, pass}, 4, rows);
        count[rows[0] << 6 | rows[1] << 4 | rows[2] << 2 | rows[3]]++;
    }
    double chi = 0;
    int orders = 0;
    for (int i = 0; i < 256; i++) {
        if (!count[i]) continue;
        orders++;
        chi += (count[i] - 1000.0) * (count[i] - 1000.0) / 1000.0;
    }
    CHECK(orders == 24);
    CHECK(chi < 50);
}

TEST_MAIN(all_rows_once, a_function_of_its_key, batches_keep_their_rows,
          orders_are_uniform)
