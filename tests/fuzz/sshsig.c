/* SSHSIG and allowed_signers: the input is an armoured signature as a part, then the allowed_signers file. */
#include "fuzz.h"

#include "../unit/key-samples.h"
#include "key/read.h"
#include "key/sshsig.h"

#define IN_2026 1782864000u

/* What was read can be written, and is read again as the same. */
static void check_armour(const LySshsig *sshsig)
{
    LyBuf text = {0};
    ly_sshsig_write(ly_key_blob(ly_sshsig_key(sshsig)), ly_sshsig_namespace(sshsig), ly_sshsig_hash(sshsig),
                    LY_BYTES("x"), &text);
    LySshsig *again = ly_sshsig_read(fuzz_crypto(), ly_buf_bytes(&text), NULL);
    FUZZ_ASSERT(again && ly_sshsig_hash(again) == ly_sshsig_hash(sshsig) &&
                ly_bytes_equal(ly_sshsig_namespace(again), ly_sshsig_namespace(sshsig)));
    ly_sshsig_free(again);
    ly_buf_free(&text);
}

/* Whom the file's lines are said to name, they name. */
static void check_signers(LyBytes text, LyKey *key)
{
    LyBuf found = {0};
    LyError error = {0};
    bool any = ly_allowed_signers_find(fuzz_crypto(), text, (LyBytes){0}, key, IN_2026, &found, &error);
    FUZZ_ASSERT(any == (found.len > 0) && any == (error.code == LY_OK));
    ly_buf_free(&found);
    bool allowed = ly_allowed_signers_check(fuzz_crypto(), text, LY_BYTES("alice"), LY_BYTES("file"), key,
                                            IN_2026, NULL);
    bool matched = ly_allowed_signers_match(text, LY_BYTES("alice"), &found, NULL);
    FUZZ_ASSERT(!allowed || matched || found.len == 0);
    ly_buf_free(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static LyKey *keys[2];
    if (!keys[0]) {
        keys[0] = ly_key_read_line(fuzz_crypto(), ly_bytes_str(public_samples[0].line), NULL);
        keys[1] = ly_key_read_line(fuzz_crypto(), ly_bytes_str(cert_user), NULL);
    }
    LyReader input = ly_reader(ly_bytes(data, len));
    LyBytes armour = fuzz_part(&input), text = fuzz_copy(ly_get_rest(&input));
    static const uint8_t digest[LY_HASH_MAX];
    LyError error = {0};
    LySshsig *sshsig = ly_sshsig_read(fuzz_crypto(), armour, &error);
    fuzz_free(armour); /* it was copied */
    FUZZ_ASSERT((sshsig == NULL) == (error.code != LY_OK));
    if (sshsig) {
        /* Nobody knows a message with this digest. */
        FUZZ_ASSERT(!ly_sshsig_verify(sshsig, ly_sshsig_namespace(sshsig),
                                      ly_bytes(digest, ly_hash_len(ly_sshsig_hash(sshsig))), NULL, &error));
        check_armour(sshsig);
        check_signers(text, ly_sshsig_key(sshsig));
    }
    for (size_t i = 0; i < LY_COUNT(keys); i++)
        check_signers(text, keys[i]);
    ly_sshsig_free(sshsig);
    fuzz_free(text);
    return 0;
}
