/* For test programs: a private key's file, read or given up with a sentence and status 2. */
#ifndef LY_TESTS_READ_KEY_H
#define LY_TESTS_READ_KEY_H

#include <stdio.h>
#include <stdlib.h>

#include "key/read.h"

static inline LyKey *read_key(LyCrypto *crypto, const char *path)
{
    char text[16384];
    FILE *file = fopen(path, "r");
    size_t len = file ? fread(text, 1, sizeof text, file) : 0;
    LyError error = {0};
    LyKey *key = ly_key_read(crypto, ly_bytes(text, len), NULL, &error);
    if (file)
        fclose(file);
    if (!key) {
        fprintf(stderr, "%s: %s\n", path, error.message);
        exit(2);
    }
    return key;
}

#endif
