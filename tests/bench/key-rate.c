/* key-rate FILE SECONDS: how many times a second the file's key can be read. One number on stdout. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "key/read.h"

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    static uint8_t text[1 << 20];
    FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
    size_t len = file ? fread(text, 1, sizeof text, file) : 0, count = 0;
    LyError error = {0};
    LyCrypto *crypto = ly_crypto_new(0, &error);
    double start = now(), end = start, limit = argc == 3 ? atof(argv[2]) : 0;
    if (file)
        fclose(file);
    while (end - start < limit) {
        for (int i = 0; i < 100; i++, count++) {
            LyKey *key = ly_key_read(crypto, ly_bytes(text, len), NULL, &error);
            if (!key) {
                fprintf(stderr, "key-rate: %s: %s\n", argv[1], error.message);
                return 1;
            }
            ly_key_unref(key);
        }
        end = now();
    }
    printf("%.0f\n", end > start ? (double)count / (end - start) : 0);
    ly_crypto_unref(crypto);
    return 0;
}
