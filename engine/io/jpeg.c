#include "io/jpeg.h"
#include <setjmp.h>
#include <stdio.h>
#include <jpeglib.h>
#include <jerror.h>
#include "base/mem.h"

/* A progressive file may name as many passes over the picture as it has bytes; real ones
 * have ten. */
enum { SCANS = 500 };

/* What the callbacks of libjpeg see. It leaves by longjmp, over its own frames alone. */
typedef struct Decoder {
    struct jpeg_decompress_struct jpeg; /* first: callbacks are given its address */
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf leave;
    const char *name;
    Err *err;
    Image image;
    uint8_t *row; /* of four channels, where a file has them */
} Decoder;

static void stop(j_common_ptr jpeg) {
    Decoder *decoder = (Decoder *)jpeg;
    char message[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, message);
    err_set(decoder->err, "%s: damaged JPEG file: %s", decoder->name, message);
    longjmp(decoder->leave, 1);
}

/* libjpeg goes on with grey pixels where data are damaged or missing. Bytes that nobody
 * needs between two parts are the one kind of damage that changes nothing. */
static void judge_warning(j_common_ptr jpeg, int level) {
    if (level < 0 && jpeg->err->msg_code != JWRN_EXTRANEOUS_DATA) stop(jpeg);
}

static void limit_scans(j_common_ptr jpeg) {
    Decoder *decoder = (Decoder *)jpeg;
    if (decoder->jpeg.input_scan_number <= SCANS) return;
    err_set(decoder->err, "%s: damaged JPEG file: more than %d passes over the picture",
            decoder->name, SCANS);
    longjmp(decoder->leave, 1);
}

/* A row of CMYK as RGB. Adobe's programs, which alone write such files, store all four
 * inverted. */
static void row_from_cmyk(const Decoder *decoder, uint8_t *to) {
    const uint8_t *from = decoder->row;
    int flip = decoder->jpeg.saw_Adobe_marker ? 0 : 255;
    for (int64_t x = 0; x < decoder->image.width; x++, from += 4, to += 3)
        for (int c = 0; c < 3; c++)
            to[c] = (uint8_t)((from[c] ^ flip) * (from[3] ^ flip) / 255);
}

static void read_rows(Decoder *decoder) {
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    size_t stride = (size_t)decoder->image.width * (size_t)decoder->image.channels;
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *to = decoder->image.pixels + jpeg->output_scanline * stride;
        jpeg_read_scanlines(jpeg, decoder->row ? &decoder->row : &to, 1);
        if (decoder->row) row_from_cmyk(decoder, to);
    }
}

static bool decode(Decoder *decoder, const void *bytes, size_t size) {
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    if (setjmp(decoder->leave)) return false;
    jpeg_create_decompress(jpeg);
    decoder->progress.progress_monitor = limit_scans;
    jpeg->progress = &decoder->progress;
    jpeg_mem_src(jpeg, bytes, (unsigned long)size);
    jpeg_read_header(jpeg, TRUE);
    bool grey = jpeg->jpeg_color_space == JCS_GRAYSCALE;
    bool four = jpeg->num_components == 4;
    jpeg->out_color_space = grey ? JCS_GRAYSCALE : four ? JCS_CMYK : JCS_RGB;
    if (!image_new(decoder->name, jpeg->image_height, jpeg->image_width, grey ? 1 : 3,
                   &decoder->image, decoder->err))
        return false;
    if (four) decoder->row = mem_alloc((size_t)jpeg->image_width * 4);
    if (four && !decoder->row)
        return err_set(decoder->err, "%s: not enough memory to read it", decoder->name);
    jpeg_start_decompress(jpeg);
    read_rows(decoder);
    jpeg_finish_decompress(jpeg);
    return true;
}

bool jpeg_decode(const char *name, const void *bytes, size_t size, Image *out, Err *err) {
    Decoder decoder = {.name = name, .err = err};
    decoder.jpeg.err = jpeg_std_error(&decoder.errors);
    decoder.errors.error_exit = stop;
    decoder.errors.emit_message = judge_warning;
    bool ok = decode(&decoder, bytes, size);
    jpeg_destroy_decompress(&decoder.jpeg);
    mem_free(decoder.row);
    if (ok)
        *out = decoder.image;
    else
        image_free(&decoder.image);
    return ok;
}

bool jpeg_is(const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    return size >= 3 && at[0] == 0xFF && at[1] == 0xD8 && at[2] == 0xFF;
}
