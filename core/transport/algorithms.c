#include "transport/algorithms.h"

#include "base/memory.h"
#include "crypto/cipher.h"
#include "crypto/kex.h"

/* The ssh_config names, for messages. */
static const char *const keyword[LY_ALGORITHMS_COUNT] = {
    [LY_ALGORITHMS_KEX] = "KexAlgorithms",       [LY_ALGORITHMS_HOST_KEY] = "HostKeyAlgorithms",
    [LY_ALGORITHMS_CIPHER] = "Ciphers",          [LY_ALGORITHMS_MAC] = "MACs",
    [LY_ALGORITHMS_COMPRESSION] = "Compression", [LY_ALGORITHMS_USER_KEY] = "PubkeyAcceptedAlgorithms",
};

static void names(const LyCrypto *crypto, LyAlgorithmKind kind, bool only_default, LyBuf *out)
{
    switch (kind) {
    case LY_ALGORITHMS_KEX:
        ly_kex_names(crypto, only_default, out);
        break;
    case LY_ALGORITHMS_HOST_KEY:
        ly_host_key_algorithm_names(only_default, out);
        break;
    case LY_ALGORITHMS_CIPHER:
        ly_cipher_names(crypto, only_default, out);
        break;
    case LY_ALGORITHMS_MAC:
        ly_mac_names(crypto, only_default, out);
        break;
    case LY_ALGORITHMS_COMPRESSION:
        ly_compression_names(crypto, only_default, out);
        break;
    case LY_ALGORITHMS_USER_KEY:
        ly_user_key_algorithm_names(only_default, out);
        break;
    case LY_ALGORITHMS_COUNT:
        break;
    }
}

void ly_algorithms_init(const LyCrypto *crypto, LyAlgorithms *algorithms)
{
    for (int kind = 0; kind < LY_ALGORITHMS_COUNT; kind++) {
        LyBuf list = {0};
        names(crypto, (LyAlgorithmKind)kind, true, &list);
        algorithms->list[kind] = ly_bytes_dup_str(ly_buf_bytes(&list));
        ly_buf_free(&list);
    }
}

void ly_algorithms_clear(LyAlgorithms *algorithms)
{
    for (int kind = 0; kind < LY_ALGORITHMS_COUNT; kind++)
        ly_free(algorithms->list[kind]);
    *algorithms = (LyAlgorithms){0};
}

void ly_algorithms_copy(const LyAlgorithms *from, LyAlgorithms *to)
{
    for (int kind = 0; kind < LY_ALGORITHMS_COUNT; kind++)
        to->list[kind] = ly_strdup(from->list[kind]);
}

bool ly_algorithms_change(const LyCrypto *crypto, LyAlgorithms *algorithms, LyAlgorithmKind kind,
                          LyBytes change, LyError *error)
{
    LyBuf all = {0}, changed = {0};
    LyBytes unknown = {0};
    bool ok = true;
    names(crypto, kind, false, &all);
    switch (ly_names_change(ly_bytes_str(algorithms->list[kind]), change, ly_buf_bytes(&all), &changed,
                            &unknown)) {
    case LY_NAMES_OK:
        ly_free(algorithms->list[kind]);
        algorithms->list[kind] = ly_bytes_dup_str(ly_buf_bytes(&changed));
        break;
    case LY_NAMES_UNKNOWN:
        ok = ly_error_set(error, LY_ERROR_INVALID, "%s: '%s' is not known here", keyword[kind],
                          LY_PRINTABLE(unknown));
        break;
    case LY_NAMES_EMPTY:
        ok = ly_error_set(error, LY_ERROR_INVALID, "%s: '%s' would leave nothing", keyword[kind],
                          LY_PRINTABLE(change));
        break;
    }
    ly_buf_free(&all);
    ly_buf_free(&changed);
    return ok;
}

void ly_algorithms_all(const LyCrypto *crypto, LyAlgorithmKind kind, LyBuf *out)
{
    names(crypto, kind, false, out);
}
