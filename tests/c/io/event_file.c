#include "io/event_file.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "io/crc32c.h"
#include "io/histogram.h"
#include "io/scratch.h"
#include "test.h"

/* The values of RFC 3720, appendix B.4, and one piece behind another. */
static void checksum_is_crc32c(void) {
    unsigned char bytes[48];
    memset(bytes, 0, 32);
    CHECK(crc32c(0, bytes, 32) == 0x8a9136aa);
    memset(bytes, 0xff, 32);
    CHECK(crc32c(0, bytes, 32) == 0x62a8ab43);
    for (int i = 0; i < 32; i++) bytes[i] = (unsigned char)i;
    CHECK(crc32c(0, bytes, 32) == 0x46dd794e);
    CHECK(crc32c(crc32c(0, bytes, 13), bytes + 13, 19) == 0x46dd794e);
    CHECK(crc32c(0, "123456789", 9) == 0xe3069283);
    CHECK(crc32c(0, bytes, 0) == 0);
}

static int count_records(const char *path, int64_t *damaged) {
    char *text = NULL;
    size_t bytes = 0, size;
    int count = 0;
    if (!event_read(path, &text, &bytes, damaged, NULL)) return -1;
    for (size_t place = 0; place < bytes; place += sizeof size + size, count++)
        memcpy(&size, text + place, sizeof size);
    mem_free(text);
    return count;
}

static void records_come_back_from_any_cut(void) {
    Err err = {0};
    EventFile file;
    int64_t damaged, end[4];
    CHECK(event_open(&file, scratch("run"), NULL, &err));
    end[0] = file.bytes;
    for (int i = 1; i <= 3; i++) {
        CHECK(event_write(&file, i, EVENT_SUMMARY, "some bytes", 10, &err));
        end[i] = file.bytes;
    }
    size_t bytes;
    unsigned char *data = scratch_read(file.path, &bytes);
    CHECK(bytes == (size_t)file.bytes);
    CHECK(count_records(file.path, &damaged) == 4 && damaged == -1);
    for (size_t cut = 0; cut <= bytes; cut++) {
        int whole = 0;
        while (whole < 4 && end[whole] <= (int64_t)cut) whole++;
        CHECK(count_records(scratch_write("cut", data, cut), &damaged) == whole);
        CHECK(damaged == -1);
    }
    data[end[1] + 20] ^= 1;
    CHECK(count_records(scratch_write("bad", data, bytes), &damaged) == 2);
    CHECK(damaged == end[1]);
    memset(data, 0xff, 8);
    CHECK(count_records(scratch_write("bad", data, bytes), &damaged) == 0);
    CHECK(damaged == 0);
    mem_free(data);
    event_close(&file);
    CHECK(count_records(scratch("none"), &damaged) == -1);
}

static void a_folder_has_one_writer(void) {
    Err err = {0};
    EventFile file, other = {.fd = -1, .folder = -1};
    bool taken = false;
    CHECK(event_open(&file, scratch("one"), &taken, &err) && !taken);
    CHECK(!event_open(&other, scratch("one"), &taken, &err) && taken);
    CHECK_TEXT(err.text, "has a writer already");
    char *first = mem_strdup(file.path);
    event_close(&file);
    event_close(&file);
    err.set = false;
    CHECK(!event_write(&file, 1, EVENT_SUMMARY, "", 0, &err));
    CHECK_TEXT(err.text, "closed");
    CHECK(event_open(&file, scratch("one"), &taken, NULL));
    CHECK(strcmp(first, file.path) < 0);
    mem_free(first);
    event_close(&file);
}

static void a_forked_process_writes_nothing(void) {
    Err err = {0};
    EventFile file;
    CHECK(event_open(&file, scratch("fork"), NULL, &err));
    int64_t before = file.bytes, damaged;
    pid_t child = fork();
    if (child == 0) {
        bool wrote = event_write(&file, 1, EVENT_SUMMARY, "x", 1, NULL);
        event_close(&file);
        _exit(wrote);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(file.bytes == before && count_records(file.path, &damaged) == 1);
    EventFile other;
    bool taken = false;
    CHECK(!event_open(&other, scratch("fork"), &taken, NULL) && taken);
    event_close(&file);
}

/* A limit on the size of files stands for a full disk: half of a record fits. */
static void a_record_without_room_is_taken_back(void) {
    Err err = {0};
    EventFile file;
    int64_t damaged;
    char body[200] = {0};
    CHECK(event_open(&file, scratch("full"), NULL, &err));
    CHECK(event_write(&file, 1, EVENT_SUMMARY, body, sizeof body, &err));
    struct rlimit before, limit;
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = (rlim_t)file.bytes + 100;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    int64_t whole = file.bytes;
    CHECK(!event_write(&file, 2, EVENT_SUMMARY, body, sizeof body, &err));
    CHECK_TEXT(err.text, "cannot write");
    struct stat info;
    CHECK(file.bytes == whole && stat(file.path, &info) == 0 && info.st_size == whole);
    setrlimit(RLIMIT_FSIZE, &before);
    err.set = false;
    CHECK(event_write(&file, 3, EVENT_SUMMARY, body, sizeof body, &err));
    CHECK(count_records(file.path, &damaged) == 3 && damaged == -1);
    event_close(&file);
}

static void histograms_count(void) {
    Err err = {0};
    Histogram h;
    Tensor x = ramp(DTYPE_FLOAT32, shape_of(2, 10L, 10L), 0), view = {0};
    CHECK(histogram_of(&x, 10, &h, &err));
    CHECK(h.count == 100 && h.dropped == 0 && h.min == 0 && h.max == 99);
    CHECK(h.sum == 4950 && h.sum_squares == 328350 && histogram_edge(&h, 9) == 99);
    CHECK_NEAR(histogram_edge(&h, 0), 9.9, 1e-12);
    for (int k = 0; k < 10; k++) CHECK(h.in[k] == 10);
    CHECK(tensor_permute(&x, (int[]){1, 0}, &view, &err));
    CHECK(histogram_of(&view, 3, &h, &err) && h.in[0] == 33 && h.in[2] == 34);
    tensor_release(&view);
    tensor_release(&x);
    x = ramp(DTYPE_INT64, shape_of(1, 4L), 7);
    CHECK(histogram_of(&x, 3, &h, &err));
    CHECK(h.in[0] == 1 && h.in[1] == 1 && h.in[2] == 2 && h.min == 7);
    tensor_release(&x);
    x = ramp(DTYPE_FLOAT64, shape_of(1, 5L), 0);
    double *values = (double *)(void *)x.data;
    values[0] = NAN, values[1] = INFINITY, values[2] = -1e308, values[3] = 1e308;
    values[4] = 0;
    CHECK(histogram_of(&x, 4, &h, &err));
    CHECK(h.count == 3 && h.dropped == 2 && h.min == -1e308 && h.max == 1e308);
    CHECK(h.in[0] == 1 && h.in[2] == 1 && h.in[3] == 1);
    values[2] = values[3] = values[4] = 5;
    CHECK(histogram_of(&x, 4, &h, &err) && h.in[0] == 3 && h.min == 5 && h.max == 5);
    values[2] = values[3] = values[4] = NAN;
    CHECK(histogram_of(&x, 4, &h, &err) && h.count == 0 && h.dropped == 5 && h.max == 0);
    tensor_release(&x);
    x = ramp(DTYPE_FLOAT32, shape_of(1, 0L), 0);
    CHECK(histogram_of(&x, 4, &h, &err) && h.count == 0 && h.dropped == 0);
    tensor_release(&x);
}

TEST_MAIN(checksum_is_crc32c, records_come_back_from_any_cut, a_folder_has_one_writer,
          a_forked_process_writes_nothing, a_record_without_room_is_taken_back,
          histograms_count)
