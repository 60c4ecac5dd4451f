/* authorized_keys: the input is the file. */
#include "fuzz.h"

#include "../unit/key-samples.h"
#include "key/authorized_keys.h"
#include "key/read.h"

#define IN_2026 1782864000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static LyKey *keys[3];
    LyCrypto *crypto = fuzz_crypto();
    if (!keys[0]) {
        keys[0] = ly_key_read_line(crypto, ly_bytes_str(public_samples[0].line), NULL);
        keys[1] = ly_key_read_line(crypto, ly_bytes_str(cert_user), NULL);
        keys[2] = ly_key_read_line(crypto, ly_bytes_str(cert_user_forced), NULL);
    }
    static const char *const addresses[] = {"10.1.2.3", "fe80::1", "not an address"};
    LyBytes text = fuzz_copy(ly_bytes(data, len));
    for (size_t i = 0; i < LY_COUNT(keys); i++) {
        LyAuthorization authorization;
        ly_authorized_keys_check(crypto, text, keys[i], LY_BYTES("alice"), ly_bytes_str(addresses[i]),
                                 IN_2026, &authorization);
        FUZZ_ASSERT(!authorization.found || authorization.line > 0);
        FUZZ_ASSERT(!authorization.found || !authorization.refused);
        ly_authorization_clear(&authorization);
    }
    fuzz_free(text);
    return 0;
}
