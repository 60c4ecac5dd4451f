/* Blobs as a peer or an agent sends them: part public key or certificate, part signature, part message, part
 * private fields. */
#include "fuzz.h"

#include "key/certificate.h"

#define IN_2026 1782864000u

static void judge(LyKey *key)
{
    static const LyCertificateKind kinds[] = {LY_CERTIFICATE_USER, LY_CERTIFICATE_HOST};
    LyError error = {0};
    LyCertificate certificate;
    if (!ly_key_is_certificate(key))
        return;
    FUZZ_ASSERT(ly_certificate_read(ly_key_blob(key), &certificate, &error));
    LyBytes data;
    ly_certificate_option(certificate.critical, "force-command", &data);
    ly_certificate_option(certificate.extensions, "permit-pty", &data);
    for (size_t i = 0; i < LY_COUNT(kinds); i++)
        ly_certificate_check(fuzz_crypto(), key, kinds[i], LY_BYTES("host.example"), i == 1, IN_2026,
                             (LyBytes){0}, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    LyReader input = ly_reader(ly_bytes(data, len));
    LyBytes blob = fuzz_part(&input), signature = fuzz_part(&input), message = fuzz_part(&input);
    LyBytes fields = fuzz_part(&input);
    LyCrypto *crypto = fuzz_crypto();
    LyError error = {0};
    LyCertificate certificate;
    ly_certificate_read(blob, &certificate, &error);
    error = (LyError){0};
    LyKey *key = ly_key_new_public(crypto, blob, &error);
    FUZZ_ASSERT(!key == (error.code != LY_OK));
    if (key) {
        char fingerprint[100];
        ly_key_fingerprint(crypto, ly_key_plain_blob(key), LY_SHA256, fingerprint);
        judge(key);
        uint8_t sk_flags;
        ly_key_verify(key, (LyBytes){0}, message, signature, &sk_flags, &error);
    }
    LyReader reader = ly_reader(fields);
    error = (LyError){0};
    LyKey *private_key = ly_key_new_private(crypto, &reader, LY_BYTES("comment"), &error);
    FUZZ_ASSERT(!private_key == (error.code != LY_OK));
    if (private_key) {
        LyBuf out = {0};
        ly_key_sign(private_key, (LyBytes){0}, message, &out, NULL);
        LyKey *certified = ly_key_new_certified(private_key, blob, NULL);
        ly_key_unref(certified);
        ly_buf_free(&out);
    }
    ly_key_unref(private_key);
    ly_key_unref(key);
    fuzz_free(blob);
    fuzz_free(signature);
    fuzz_free(message);
    fuzz_free(fields);
    return 0;
}
