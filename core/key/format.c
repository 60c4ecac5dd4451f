#include "key/format.h"

static const char *const names[LY_KEY_FORMAT_COUNT] = {
    [LY_KEY_OPENSSH] = "openssh",
    [LY_KEY_PEM] = "pem",
    [LY_KEY_PKCS8] = "pkcs8",
    [LY_KEY_SPKI] = "spki",
    [LY_KEY_PPK1] = "ppk1",
    [LY_KEY_PPK2] = "ppk2",
    [LY_KEY_PPK3] = "ppk3",
    [LY_KEY_RFC4716] = "rfc4716",
    [LY_KEY_LINE] = "line",
    [LY_KEY_AUTHORIZED_KEYS] = "authorized_keys",
    [LY_KEY_KNOWN_HOSTS] = "known_hosts",
    [LY_KEY_SSHCOM] = "sshcom",
    [LY_KEY_JWK] = "jwk",
};

const char *ly_key_format_name(LyKeyFormat format)
{
    return names[format];
}

bool ly_key_format_find(LyBytes name, LyKeyFormat *format)
{
    if (ly_bytes_is(name, "ppk")) {
        *format = LY_KEY_PPK3;
        return true;
    }
    for (size_t i = 0; i < LY_KEY_FORMAT_COUNT; i++) {
        if (ly_bytes_is(name, names[i])) {
            *format = (LyKeyFormat)i;
            return true;
        }
    }
    return false;
}
