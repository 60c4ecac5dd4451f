/* core/crypto: zlib streams of many packets, damaged ones, and ones that inflate without end. */
#include <glib.h>

#include "base/auto.h"
#include "crypto/compress.h"

#define TEXT_LEN 100000

static uint8_t text[TEXT_LEN];

/* Words in random order: compresses, but not to nothing. */
static void make_text(void)
{
    static const char *const words[] = {"channel ",   "window ",  "packet\n",
                                        "handle\0\1", "\xff\xfe", "0123456789"};
    for (size_t at = 0; at < TEXT_LEN;) {
        const char *word = words[g_test_rand_int_range(0, LY_COUNT(words))];
        size_t len = LY_MIN(strlen(word) + 1, TEXT_LEN - at);
        memcpy(text + at, word, len);
        at += len;
    }
}

static void test_round_trip(void)
{
    static const size_t sizes[] = {1, 5, 35000, 0, 4096, 2, 4095, 1, 32768, 300};
    LyCompressor *deflater = ly_compressor_new(false), *inflater = ly_compressor_new(true);
    LY_AUTO(ly_buf_free) LyBuf wire = {0}, back = LY_BUF(35000);
    size_t sent = 0, received = 0;
    for (size_t i = 0; i < 300; i++) {
        size_t len = sizes[i % LY_COUNT(sizes)], cut = len / 3;
        LyBytes all = {text + i * 7, len};
        LyBytes parts[] = {ly_bytes_slice(all, 0, cut), {NULL, 0}, ly_bytes_slice(all, cut, len)};
        LyError error = {0};
        ly_buf_clear(&wire);
        ly_buf_clear(&back);
        g_assert_true(ly_compressor_deflate(deflater, parts, LY_COUNT(parts), &wire));
        g_assert_true(ly_compressor_inflate(inflater, ly_buf_bytes(&wire), &back, &error));
        g_assert_cmpmem(back.data, back.len, all.data, all.len);
        sent += len;
        received += wire.len;
    }
    g_assert_cmpuint(received, <, sent / 2); /* it does compress */
    /* The wrong way around is refused. */
    g_assert_false(ly_compressor_deflate(inflater, &LY_BYTES("x"), 1, &wire));
    g_assert_false(ly_compressor_inflate(deflater, LY_BYTES("x"), &back, NULL));
    ly_compressor_free(deflater);
    ly_compressor_free(inflater);
}

/* Bytes that do not compress, so that input and output fill their rooms unevenly; and what stands in `out`
 * before stays. */
static void test_noise(void)
{
    LyCompressor *deflater = ly_compressor_new(false), *inflater = ly_compressor_new(true);
    g_autofree uint8_t *noise = g_malloc(20000);
    for (size_t i = 0; i < 20000; i++)
        noise[i] = (uint8_t)g_test_rand_int();
    for (size_t len = 4000; len < 20000; len += 93) {
        LY_AUTO(ly_buf_free) LyBuf wire = {0}, back = {0};
        ly_buf_add_str(&wire, "head");
        ly_buf_add_str(&back, "head");
        g_assert_true(ly_compressor_deflate(deflater, &(LyBytes){noise, len}, 1, &wire));
        g_assert_true(
            ly_compressor_inflate(inflater, ly_bytes_slice(ly_buf_bytes(&wire), 4, wire.len), &back, NULL));
        g_assert_cmpmem(back.data, 4, "head", 4);
        g_assert_cmpmem(back.data + 4, back.len - 4, noise, len);
    }
    ly_compressor_free(deflater);
    ly_compressor_free(inflater);
}

static void test_bomb(void)
{
    g_autofree uint8_t *zeros = g_malloc0(4 << 20);
    LyCompressor *deflater = ly_compressor_new(false);
    LY_AUTO(ly_buf_free) LyBuf wire = {0};
    g_assert_true(ly_compressor_deflate(deflater, &(LyBytes){zeros, 4 << 20}, 1, &wire));
    g_assert_cmpuint(wire.len, <, 8000);
    /* Exactly at the limit it goes through, one byte below not. */
    static const size_t limits[] = {4 << 20, (4 << 20) - 1, 65536, 1};
    for (size_t i = 0; i < LY_COUNT(limits); i++) {
        LY_AUTO(ly_buf_free) LyBuf back = LY_BUF(limits[i]);
        LyCompressor *inflater = ly_compressor_new(true);
        LyError error = {0};
        g_assert_true(ly_compressor_inflate(inflater, ly_buf_bytes(&wire), &back, &error) == (i == 0));
        g_assert_cmpint(error.code, ==, i == 0 ? LY_OK : LY_ERROR_LIMIT);
        g_assert_cmpuint(back.len, <=, limits[i]);
        g_assert_cmpuint(back.cap, <=, limits[i]);
        /* A stream that failed does not come back to life. */
        if (i > 0)
            g_assert_false(ly_compressor_inflate(inflater, LY_BYTES(""), &back, &error));
        ly_compressor_free(inflater);
    }
    LY_AUTO(ly_buf_free) LyBuf small = LY_BUF(16);
    LyCompressor *again = ly_compressor_new(false);
    g_assert_false(ly_compressor_deflate(again, &(LyBytes){text, 1000}, 1, &small));
    g_assert_cmpuint(small.cap, <=, 16);
    ly_compressor_free(again);
    ly_compressor_free(deflater);
}

static void test_damage(void)
{
    LyCompressor *deflater = ly_compressor_new(false);
    LY_AUTO(ly_buf_free) LyBuf wire = {0}, back = LY_BUF(1 << 16);
    g_assert_true(ly_compressor_deflate(deflater, &(LyBytes){text, 200}, 1, &wire));
    ly_compressor_free(deflater);
    size_t refused = 0;
    for (size_t bit = 0; bit < wire.len * 8; bit++) {
        LyCompressor *inflater = ly_compressor_new(true);
        LyError error = {0};
        wire.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ly_buf_clear(&back);
        if (!ly_compressor_inflate(inflater, ly_buf_bytes(&wire), &back, &error)) {
            g_assert_true(error.code == LY_ERROR_PROTOCOL || error.code == LY_ERROR_LIMIT);
            g_assert_cmpstr(error.message, !=, "");
            refused++;
        }
        wire.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ly_compressor_free(inflater);
    }
    /* There is no check sum, so not every flip shows; but every one in the two bytes of header does. */
    g_assert_cmpuint(refused, >=, 16);
    for (size_t len = 0; len < wire.len; len++) {
        LyCompressor *inflater = ly_compressor_new(true);
        ly_buf_clear(&back);
        g_assert_true(
            ly_compressor_inflate(inflater, ly_bytes_slice(ly_buf_bytes(&wire), 0, len), &back, NULL));
        g_assert_cmpuint(back.len, <=, 200);
        ly_compressor_free(inflater);
    }
    /* A complete stream, which ends: "x" by zlib's compress(). */
    static const uint8_t ended[] = {0x78, 0x9c, 0xab, 0x00, 0x00, 0x00, 0x79, 0x00, 0x79};
    LyCompressor *inflater = ly_compressor_new(true);
    LyError error = {0};
    ly_buf_clear(&back);
    g_assert_false(ly_compressor_inflate(inflater, ly_bytes(ended, sizeof ended), &back, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_PROTOCOL);
    ly_compressor_free(inflater);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    make_text();
    g_test_add_func("/compress/round-trip", test_round_trip);
    g_test_add_func("/compress/noise", test_noise);
    g_test_add_func("/compress/bomb", test_bomb);
    g_test_add_func("/compress/damage", test_damage);
    return g_test_run();
}
