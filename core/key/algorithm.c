#include "key/algorithm.h"

#define CERT "-cert-v01@openssh.com"

static const LyKeyType key_types[] = {
    {"ssh-ed25519", "ssh-ed25519" CERT, LY_PK_ED25519, -1, false, "ED25519"},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256" CERT, LY_PK_ECDSA, LY_NISTP256, false, "ECDSA"},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384" CERT, LY_PK_ECDSA, LY_NISTP384, false, "ECDSA"},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521" CERT, LY_PK_ECDSA, LY_NISTP521, false, "ECDSA"},
    {"ssh-rsa", "ssh-rsa" CERT, LY_PK_RSA, -1, false, "RSA"},
    {"sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519" CERT, LY_PK_ED25519, -1, true, "ED25519-SK"},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256" CERT, LY_PK_ECDSA, LY_NISTP256, true,
     "ECDSA-SK"},
    {"ssh-dss", "ssh-dss" CERT, LY_PK_DSA, -1, false, "DSA"},
    {"ssh-ed448", NULL, LY_PK_ED448, -1, false, "ED448"},
};

const LyKeyType *ly_key_type_find(LyBytes name, bool *is_certificate)
{
    for (size_t i = 0; i < LY_COUNT(key_types); i++) {
        const LyKeyType *type = &key_types[i];
        bool certificate = type->certificate && ly_bytes_is(name, type->certificate);
        if (certificate || ly_bytes_is(name, type->name)) {
            if (is_certificate)
                *is_certificate = certificate;
            return type;
        }
    }
    return NULL;
}

/* In order of preference. The hash matters for RSA only; the others' is fixed by the key. */
static const LySignatureAlgorithm algorithms[] = {
    /* name, in the signature, in the key blob, hash, by_default, host, user */
    {"ssh-ed25519" CERT, "ssh-ed25519", "ssh-ed25519" CERT, LY_SHA512, true, true, true},
    {"ecdsa-sha2-nistp256" CERT, "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256" CERT, LY_SHA256, true, true,
     true},
    {"ecdsa-sha2-nistp384" CERT, "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384" CERT, LY_SHA384, true, true,
     true},
    {"ecdsa-sha2-nistp521" CERT, "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521" CERT, LY_SHA512, true, true,
     true},
    {"sk-ssh-ed25519" CERT, "sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519" CERT, LY_SHA256, true, false,
     true},
    {"sk-ecdsa-sha2-nistp256" CERT, "sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256" CERT,
     LY_SHA256, true, false, true},
    {"rsa-sha2-512" CERT, "rsa-sha2-512", "ssh-rsa" CERT, LY_SHA512, true, true, true},
    {"rsa-sha2-256" CERT, "rsa-sha2-256", "ssh-rsa" CERT, LY_SHA256, true, true, true},
    {"ssh-ed25519", "ssh-ed25519", "ssh-ed25519", LY_SHA512, true, true, true},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", LY_SHA256, true, true, true},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", LY_SHA384, true, true, true},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", LY_SHA512, true, true, true},
    {"sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519@openssh.com", LY_SHA256,
     true, false, true},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
     "sk-ecdsa-sha2-nistp256@openssh.com", LY_SHA256, true, false, true},
    {"rsa-sha2-512", "rsa-sha2-512", "ssh-rsa", LY_SHA512, true, true, true},
    {"rsa-sha2-256", "rsa-sha2-256", "ssh-rsa", LY_SHA256, true, true, true},
    {"ssh-ed448", "ssh-ed448", "ssh-ed448", LY_SHA512, false, true, true},
    {"ssh-rsa" CERT, "ssh-rsa", "ssh-rsa" CERT, LY_SHA1, false, true, true},
    {"ssh-rsa", "ssh-rsa", "ssh-rsa", LY_SHA1, false, true, true},
    {"ssh-dss" CERT, "ssh-dss", "ssh-dss" CERT, LY_SHA1, false, true, true},
    {"ssh-dss", "ssh-dss", "ssh-dss", LY_SHA1, false, true, true},
};

const LySignatureAlgorithm *ly_signature_algorithm_find(LyBytes name)
{
    for (size_t i = 0; i < LY_COUNT(algorithms); i++)
        if (ly_bytes_is(name, algorithms[i].name))
            return &algorithms[i];
    return NULL;
}

const LySignatureAlgorithm *ly_signature_algorithm_best(const char *key_type)
{
    for (size_t i = 0; i < LY_COUNT(algorithms); i++)
        if (strcmp(key_type, algorithms[i].key_type) == 0)
            return &algorithms[i];
    return NULL;
}

static void add_names(bool only_default, bool host, LyBuf *out)
{
    bool first = true;
    for (size_t i = 0; i < LY_COUNT(algorithms); i++) {
        const LySignatureAlgorithm *algorithm = &algorithms[i];
        if ((only_default && !algorithm->by_default) || !(host ? algorithm->host : algorithm->user))
            continue;
        if (!first)
            ly_buf_add_str(out, ",");
        ly_buf_add_str(out, algorithm->name);
        first = false;
    }
}

void ly_host_key_algorithm_names(bool only_default, LyBuf *out)
{
    add_names(only_default, true, out);
}

void ly_user_key_algorithm_names(bool only_default, LyBuf *out)
{
    add_names(only_default, false, out);
}
