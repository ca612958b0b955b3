/* embed FOLDER OUT.c FILE...: the host tool that turns Lua files into the C table
 * embedded_modules (script/embed.h). FOLDER/cdl/layers/dense.lua becomes the module
 * "cdl.layers.dense" and FOLDER/cdl/init.lua becomes "cdl". The text is kept as it is, so
 * line numbers in error messages are those of the file. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The file's text, or NULL with a message on standard error. */
static char *file_read(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t room = 0, used = 0;
    if (!file) {
        perror(path);
        return NULL;
    }
    for (;;) {
        if (used == room) {
            room = room ? 2 * room : 16384;
            char *more = realloc(text, room);
            if (!more) break;
            text = more;
        }
        size_t got = fread(text + used, 1, room - used, file);
        used += got;
        if (got == 0) break;
    }
    bool failed = ferror(file) || used == room;
    fclose(file);
    if (failed) {
        fprintf(stderr, "%s: cannot be read\n", path);
        free(text);
        return NULL;
    }
    *size = used;
    return text;
}

/* One string literal for each line, so that the C file can be read and compiles quickly.
 */
static void write_text(FILE *out, const char *text, size_t size) {
    bool open = false;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (!open) fputs("     \"", out);
        open = true;
        if (c == '\n') {
            fputs("\\n\"\n", out);
            open = false;
        } else if (c == '"' || c == '\\') {
            fprintf(out, "\\%c", c);
        } else if (c < 32 || c > 126) {
            fprintf(out, "\\%03o", c);
        } else {
            fputc(c, out);
        }
    }
    if (open) fputs("\"\n", out);
    if (size == 0) fputs("     \"\"\n", out);
}

/* Writes the module's name: the path below the folder, dots for slashes, without ".lua".
 */
static bool write_name(FILE *out, const char *folder, const char *path) {
    size_t skip = strlen(folder), length = strlen(path);
    if (strncmp(path, folder, skip) != 0 || path[skip] != '/' || length < skip + 5 ||
        strcmp(path + length - 4, ".lua") != 0) {
        fprintf(stderr, "%s: not a .lua file below %s\n", path, folder);
        return false;
    }
    const char *name = path + skip + 1;
    length -= skip + 1 + 4;
    static const char init[] = "/init";
    size_t tail = sizeof init - 1;
    if (length > tail && strncmp(name + length - tail, init, tail) == 0) length -= tail;
    for (size_t i = 0; i < length; i++) fputc(name[i] == '/' ? '.' : name[i], out);
    return true;
}

static bool write_module(FILE *out, const char *folder, const char *path) {
    size_t size;
    char *text = file_read(path, &size);
    if (!text) return false;
    fputs("    {\"", out);
    bool named = write_name(out, folder, path);
    fputs("\",\n", out);
    write_text(out, text, size);
    fprintf(out, "     , %zu},\n", size);
    free(text);
    return named;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fputs("usage: embed FOLDER OUT.c FILE...\n", stderr);
        return 2;
    }
    FILE *out = fopen(argv[2], "w");
    if (!out) {
        perror(argv[2]);
        return 1;
    }
    fputs(
        "/* Written by embed from the files in lua/. */\n#include \"script/embed.h\"\n\n"
        "const EmbeddedModule embedded_modules[] = {\n",
        out);
    bool good = true;
    for (int i = 3; i < argc && good; i++) good = write_module(out, argv[1], argv[i]);
    fputs("    {NULL, NULL, 0},\n};\n", out);
    good &= !ferror(out);
    good &= fclose(out) == 0;
    if (!good) {
        fprintf(stderr, "embed: %s was not written\n", argv[2]);
        remove(argv[2]);
        return 1;
    }
    return 0;
}
