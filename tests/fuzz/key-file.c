/* Key files of all formats: flags, then the text. What is read can be written and read again. */
#include "fuzz.h"

#include "key/certificate.h"
#include "key/read.h"
#include "key/write.h"

enum { WITH_PASSPHRASE = 1, PUBLIC_HALF = 2, WRITE_ENCRYPTED = 4 };

static void written_and_read_again(LyKey *key, bool encrypted)
{
    LyCrypto *crypto = fuzz_crypto();
    LyKeyWriteOptions options = {.passphrase = encrypted ? LY_BYTES("secret") : (LyBytes){0},
                                 .kdf.rounds = 1};
    LyBuf text = {0};
    if (ly_key_write_openssh(crypto, key, &options, &text, NULL)) {
        LyKeyReadOptions reading = {.have_passphrase = true, .passphrase = LY_BYTES("secret")};
        LyError error = {0};
        LyKey *again = ly_key_read(crypto, ly_buf_bytes(&text), &reading, &error);
        if (!again)
            fprintf(stderr, "%s\n", error.message);
        FUZZ_ASSERT(again && ly_key_equal_public(key, again));
        ly_key_unref(again);
    }
    ly_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    LyReader input = ly_reader(ly_bytes(data, len));
    uint8_t flags = ly_get_u8(&input);
    LyBytes text = fuzz_copy(ly_get_rest(&input));
    LyKeyReadOptions options = {
        .have_passphrase = flags & WITH_PASSPHRASE,
        .passphrase = LY_BYTES("secret"),
        .max_bcrypt_rounds = 2,
        .max_pbkdf2_iterations = 64,
        .max_memory_kib = 256,
    };
    LyError error = {0};
    LyKey *key = flags & PUBLIC_HALF ? ly_key_read_public(fuzz_crypto(), text, &error)
                                     : ly_key_read(fuzz_crypto(), text, &options, &error);
    FUZZ_ASSERT(!key == (error.code != LY_OK) && !key == (error.message[0] != 0));
    if (key) {
        ly_key_check(key, NULL);
        if (ly_key_has_secret(key))
            written_and_read_again(key, flags & WRITE_ENCRYPTED);
        LyBuf line = {0};
        ly_key_write_line(key, &line);
        LyKey *again = ly_key_read_line(fuzz_crypto(), ly_buf_bytes(&line), NULL);
        FUZZ_ASSERT(again && ly_key_equal_public(key, again));
        ly_key_unref(again);
        ly_buf_free(&line);
    }
    ly_key_unref(key);
    fuzz_free(text);
    return 0;
}
