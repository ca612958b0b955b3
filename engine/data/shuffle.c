#include "data/shuffle.h"
#include "base/hash.h"
#include "base/philox.h"

/* Fisher and Yates over rows[first, first + n). Draw number k of the stream belongs to
 * position first + k, and one Philox block holds two draws. */
static void permute(uint64_t key, uint64_t pass, int64_t first, int64_t n,
                    int64_t *rows) {
    int64_t *at = rows + first;
    Philox block = {{0}};
    uint64_t have = UINT64_MAX;
    for (int64_t i = n - 1; i > 0; i--) {
        uint64_t draw = (uint64_t)(first + i);
        if (draw / 2 != have) {
            have = draw / 2;
            block = philox(key, pass, have);
        }
        const uint32_t *word = block.word + draw % 2 * 2;
        int64_t j = (int64_t)philox_below(word[0], word[1], (uint64_t)i + 1);
        int64_t kept = at[i];
        at[i] = at[j];
        at[j] = kept;
    }
}

static uint64_t stream_key(ShuffleKey key) {
    static const char stream[] = "loader";
    uint64_t loader = philox_key(key.seed, hash_bytes(stream, sizeof stream - 1));
    return philox_key(loader, (uint64_t)key.fit);
}

void shuffle_within(ShuffleKey key, int64_t n, int64_t batch, int64_t *rows) {
    uint64_t stream = stream_key(key);
    for (int64_t i = 0; i < n; i++) rows[i] = i;
    for (int64_t first = 0; first < n; first += batch) {
        int64_t left = n - first;
        permute(stream, (uint64_t)key.pass, first, left < batch ? left : batch, rows);
    }
}

void shuffle_rows(ShuffleKey key, int64_t n, int64_t *rows) {
    if (n > 0) shuffle_within(key, n, n, rows);
}
