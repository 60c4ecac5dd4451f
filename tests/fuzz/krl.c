/* KRLs: a byte that says what follows, then a KRL, the text language, or a file of RevokedHostKeys. What is
 * read is written and read again, and is the same. */
#include "fuzz.h"

#include "../unit/key-samples.h"
#include "key/krl.h"
#include "key/read.h"

enum { BINARY, TEXT, REVOKED_KEYS, FORM_COUNT };

/* A few bytes of ranges are a megabyte of text: such a list is not shown. */
#define SHOWN_MAX ((size_t)1 << 16)

static LyKrl *read_input(uint8_t form, LyBytes bytes, LyError *error)
{
    if (form == BINARY)
        return ly_krl_read(fuzz_crypto(), bytes, error);
    if (form == REVOKED_KEYS)
        return ly_revoked_keys_read(fuzz_crypto(), bytes, error);
    LyKrl *krl = ly_krl_new(fuzz_crypto());
    ly_krl_add_text(krl, bytes, (LyBytes){0}, error);
    return krl; /* what was read before an error stays */
}

static void same_again(LyKrl *krl, LyKey *const keys[3])
{
    LyBuf binary = {0}, text = LY_BUF(SHOWN_MAX), text_again = LY_BUF(SHOWN_MAX);
    LyError error = {0};
    ly_krl_write(krl, 1, &binary);
    FUZZ_ASSERT(!binary.failed);
    LyKrl *again = ly_krl_read(fuzz_crypto(), ly_buf_bytes(&binary), &error);
    if (!again)
        fprintf(stderr, "%s\n", error.message);
    FUZZ_ASSERT(again);
    for (size_t i = 0; i < 3; i++)
        FUZZ_ASSERT(ly_krl_revokes(krl, keys[i]) == ly_krl_revokes(again, keys[i]));
    ly_krl_describe(krl, &text);
    ly_krl_describe(again, &text_again);
    FUZZ_ASSERT(ly_bytes_equal(ly_buf_bytes(&text), ly_buf_bytes(&text_again)));
    ly_krl_free(again);
    ly_buf_free(&binary);
    ly_buf_free(&text);
    ly_buf_free(&text_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static LyKey *keys[3];
    if (!keys[0]) {
        keys[0] = ly_key_read_line(fuzz_crypto(), ly_bytes_str(public_samples[0].line), NULL);
        keys[1] = ly_key_read_line(fuzz_crypto(), ly_bytes_str(cert_user), NULL);
        keys[2] = ly_key_read_line(fuzz_crypto(), ly_bytes_str(cert_host), NULL);
    }
    LyReader input = ly_reader(ly_bytes(data, len));
    uint8_t form = ly_get_u8(&input) % FORM_COUNT;
    LyBytes bytes = fuzz_copy(ly_get_rest(&input));
    LyError error = {0};
    LyKrl *krl = read_input(form, bytes, &error);
    fuzz_free(bytes); /* it was copied */
    FUZZ_ASSERT(form == TEXT || !krl == (error.code != LY_OK));
    FUZZ_ASSERT((error.code != LY_OK) == (error.message[0] != 0));
    if (krl) {
        same_again(krl, keys);
        ly_krl_revoke_key(krl, keys[1]);
        FUZZ_ASSERT(ly_krl_revokes(krl, keys[1]));
        ly_krl_free(krl);
    }
    return 0;
}
