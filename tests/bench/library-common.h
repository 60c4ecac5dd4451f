/* What library-client.c and library-server.c share. */
#ifndef LIBRARY_COMMON_H
#define LIBRARY_COMMON_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "key/read.h"
#include "loop/client.h"
#include "loop/program.h"

#define BENCH_CIPHER "aes128-gcm@openssh.com"

static inline uint64_t bench_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static inline _Noreturn void bench_fail(const char *why)
{
    fprintf(stderr, "%s\n", why);
    exit(1);
}

/* HOME/NAME, a private key. */
static inline LyKey *bench_key(LyCrypto *crypto, const char *home, const char *name)
{
    char path[512], text[16384];
    LyError error;
    snprintf(path, sizeof path, "%s/%s", home, name);
    FILE *file = fopen(path, "re");
    if (!file)
        bench_fail(path);
    size_t len = fread(text, 1, sizeof text, file);
    fclose(file);
    LyKey *key = ly_key_read(crypto, ly_bytes(text, len), NULL, &error);
    if (!key)
        bench_fail(error.message);
    return key;
}

static inline LyDestination *bench_destination(LyCrypto *crypto, const char *kex, uint16_t port)
{
    char exchange[256];
    const char *settings[] = {exchange, "Ciphers=" BENCH_CIPHER, NULL};
    LyDestinationOptions options = {.crypto = crypto,
                                    .host = "127.0.0.1",
                                    .port = port,
                                    .user = getenv("BENCH_USER"),
                                    .config_file = "none",
                                    .settings = settings};
    LyError error;
    snprintf(exchange, sizeof exchange, "KexAlgorithms=%s", kex);
    LyDestination *destination = ly_destination_new(&options, &error);
    if (!destination)
        bench_fail(error.message);
    return destination;
}
#endif
