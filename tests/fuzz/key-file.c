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

static void check_key(LyKey *key, uint8_t flags)
{
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

/* What entries promise of each other's members. */
static void check_file(LyBytes text, LyKeyReadOptions *options, uint8_t flags)
{
    LyKeyFile file;
    LyError error = {0};
    options->public_only = flags & PUBLIC_HALF;
    bool good = ly_key_file_read(fuzz_crypto(), text, options, &file, &error);
    options->public_only = false;
    FUZZ_ASSERT(good == (error.code == LY_OK) && good == (file.count > 0));
    for (size_t i = 0; i < file.count; i++) {
        const LyKeyEntry *entry = &file.entries[i];
        FUZZ_ASSERT(entry->format < LY_KEY_FORMAT_COUNT && entry->line > 0);
        FUZZ_ASSERT(entry->key || entry->error.code);
        FUZZ_ASSERT(!entry->cipher[0] || entry->encrypted);
        FUZZ_ASSERT(!entry->prefix.len || (entry->prefix.data >= text.data &&
                                           entry->prefix.data + entry->prefix.len <= text.data + text.len));
        if (!entry->key)
            continue;
        FUZZ_ASSERT(!ly_key_has_secret(entry->key) || (entry->has_private && entry->error.code == LY_OK));
        check_key(entry->key, flags);
    }
    ly_key_file_clear(&file);
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
        .max_memory_passes_kib = 512,
    };
    check_file(text, &options, flags);
    LyError error = {0};
    LyKey *key = flags & PUBLIC_HALF ? ly_key_read_public(fuzz_crypto(), text, &error)
                                     : ly_key_read(fuzz_crypto(), text, &options, &error);
    FUZZ_ASSERT(!key == (error.code != LY_OK) && !key == (error.message[0] != 0));
    ly_key_unref(key);
    fuzz_free(text);
    return 0;
}
