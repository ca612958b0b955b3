/* Philox and FNV-1a against published values, and the helpers built on them. */
#include "base/hash.h"
#include <stdbool.h>
#include "base/philox.h"
#include "test.h"

static bool words(Philox p, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    return p.word[0] == a && p.word[1] == b && p.word[2] == c && p.word[3] == d;
}

/* The known answers that come with Random123, philox4x32 with 10 rounds. */
static void philox_gives_the_known_answers(void) {
    CHECK(words(philox(0, 0, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
    CHECK(words(philox(UINT64_MAX, UINT64_MAX, UINT64_MAX), 0x408f276d, 0x41c83b0e,
                0xa20bc7c6, 0x6d5451fd));
    CHECK(words(philox(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88),
                0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

static void hashes_are_fnv_1a(void) {
    CHECK(hash_bytes("", 0) == 0xcbf29ce484222325u);
    CHECK(hash_bytes("a", 1) == 0xaf63dc4c8601ec8cu);
    CHECK(hash_bytes("foobar", 6) == 0x85944171f73967e8u);
}

static void keys_differ(void) {
    uint64_t keys[100];
    int equal = 0;
    for (uint64_t i = 0; i < 100; i++) {
        keys[i] = philox_key(i / 10, i % 10);
        for (uint64_t k = 0; k < i; k++) equal += keys[k] == keys[i];
    }
    CHECK(equal == 0);
}

static void units_are_in_range_and_even(void) {
    CHECK(philox_unit(0) == 0);
    CHECK(philox_unit(UINT32_MAX) < 1);
    CHECK(philox_unit2(UINT32_MAX, UINT32_MAX) < 1);
    CHECK(philox_unit2(UINT32_MAX, UINT32_MAX) > 1 - 1e-15);
    enum { DRAWS = 100000 };
    double sum = 0, squares = 0;
    int faces[6] = {0};
    for (uint64_t i = 0; i < DRAWS; i++) {
        Philox p = philox(philox_key(1, 2), 3, i);
        double unit = philox_unit(p.word[0]);
        sum += unit;
        squares += unit * unit;
        uint64_t face = philox_below(p.word[1], p.word[2], 6);
        CHECK(face < 6);
        faces[face % 6]++;
    }
    /* Five standard deviations: the draws are fixed, so this never fails by chance. */
    CHECK_NEAR(sum / DRAWS, 0.5, 5 * 0.2887 / 316);
    CHECK_NEAR(squares / DRAWS, 1.0 / 3, 5 * 0.2981 / 316);
    for (int i = 0; i < 6; i++) CHECK(fabs(faces[i] - DRAWS / 6.0) < 5 * 118);
}

TEST_MAIN(philox_gives_the_known_answers, hashes_are_fnv_1a, keys_differ,
          units_are_in_range_and_even)
