/* The algorithm lists of ssh_config(5). */
#include "config-private.h"

bool ly_config_algorithms(const LyConfig *config, const LyCrypto *crypto, LyAlgorithms *algorithms,
                          LyError *error)
{
    static const struct {
        LyConfigKeyword keyword;
        LyAlgorithmKind kind;
    } lists[] = {
        {LY_CONFIG_KEX_ALGORITHMS, LY_ALGORITHMS_KEX},
        {LY_CONFIG_HOST_KEY_ALGORITHMS, LY_ALGORITHMS_HOST_KEY},
        {LY_CONFIG_CIPHERS, LY_ALGORITHMS_CIPHER},
        {LY_CONFIG_MACS, LY_ALGORITHMS_MAC},
        {LY_CONFIG_PUBKEY_ACCEPTED_ALGORITHMS, LY_ALGORITHMS_USER_KEY},
    };
    for (size_t i = 0; i < LY_COUNT(lists); i++) {
        const char *change = ly_config_string(config, lists[i].keyword);
        LyError failure = {0};
        if (change &&
            !ly_algorithms_change(crypto, algorithms, lists[i].kind, ly_bytes_str(change), &failure)) {
            if (!ly_bytes_starts_with(ly_bytes_str(failure.message),
                                      ly_config_keyword_name(lists[i].keyword)))
                ly_error_prefix(&failure, "%s", ly_config_keyword_name(lists[i].keyword));
            if (error)
                *error = failure;
            return false;
        }
    }
    const char *compression =
        ly_config_flag(config, LY_CONFIG_COMPRESSION, false) ? "zlib@openssh.com,zlib,none" : "none";
    return ly_algorithms_change(crypto, algorithms, LY_ALGORITHMS_COMPRESSION, ly_bytes_str(compression),
                                error);
}
