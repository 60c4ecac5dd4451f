/* What the fuzz targets share. Each target is one file with LLVMFuzzerTestOneInput; libFuzzer or replay.c
 * brings main. Inputs are read with a LyReader, which gives zeros once they are used up. */
#ifndef LY_TESTS_FUZZ_H
#define LY_TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/wire.h"
#include "crypto/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* An invariant of the code under test; assert() would go with NDEBUG. */
#define FUZZ_ASSERT(condition)                                                                               \
    ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), abort()))

static inline LyCrypto *fuzz_crypto(void)
{
    static LyCrypto *crypto;
    if (!crypto)
        crypto = ly_crypto_new(0, NULL);
    FUZZ_ASSERT(crypto);
    return crypto;
}

/* The same bytes in every run: a counter, so that no two fills are alike. */
static inline void fuzz_fill(void *user, uint8_t *out, size_t len)
{
    uint8_t *counter = user;
    for (size_t i = 0; i < len; i++)
        out[i] = (*counter)++;
}

/* A copy of exactly its size, so that the address sanitizer sees reads beyond it. */
static inline LyBytes fuzz_copy(LyBytes bytes)
{
    uint8_t *copy = malloc(bytes.len ? bytes.len : 1);
    if (!copy)
        abort();
    if (bytes.len)
        memcpy(copy, bytes.data, bytes.len);
    return ly_bytes(copy, bytes.len);
}

static inline void fuzz_free(LyBytes copy)
{
    free((void *)copy.data);
}

/* The next part of the input, as a copy: uint16 length (as many as there are), then the bytes. */
static inline LyBytes fuzz_part(LyReader *input)
{
    size_t len = (size_t)ly_get_u8(input) << 8;
    len |= ly_get_u8(input);
    return fuzz_copy(ly_get_bytes(input, LY_MIN(len, input->len)));
}

/* The counterpart, for seeds. */
static inline void fuzz_put_part(LyBuf *out, LyBytes bytes)
{
    ly_put_u8(out, (uint8_t)(bytes.len >> 8));
    ly_put_u8(out, (uint8_t)bytes.len);
    ly_buf_add(out, bytes);
}

/* How many bytes to hand over at once. */
static inline size_t fuzz_chunk(uint8_t choice)
{
    static const size_t chunks[] = {SIZE_MAX, 1, 7, 100};
    return chunks[choice & 3];
}

#endif
