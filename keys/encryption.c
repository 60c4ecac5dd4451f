#include "encryption.h"

#include <string.h>
#include <strings.h>

bool encryption_given(const EncryptionValues *values)
{
    return values->cipher || values->kdf || values->rounds || values->memory;
}

bool format_encrypts(LyKeyFormat format)
{
    return format == LY_KEY_OPENSSH || format == LY_KEY_PEM || format == LY_KEY_PKCS8 ||
           format == LY_KEY_PPK2 || format == LY_KEY_PPK3;
}

bool format_is_private(LyKeyFormat format)
{
    return format_encrypts(format) || format == LY_KEY_JWK;
}

bool format_has_comment(LyKeyFormat format)
{
    return format != LY_KEY_PEM && format != LY_KEY_PKCS8 && format != LY_KEY_SPKI;
}

/* Which derivations a format has, the default one first, and what --kdf-rounds means to each. */
static const struct {
    LyKeyFormat format;
    const char *kdf;
    enum { NO_COST, ROUNDS, ITERATIONS, PASSES } cost;
    bool memory;
} derivations[] = {
    {LY_KEY_OPENSSH, "bcrypt", ROUNDS, false},   {LY_KEY_PEM, "md5", NO_COST, false},
    {LY_KEY_PKCS8, "pbkdf2", ITERATIONS, false}, {LY_KEY_PKCS8, "scrypt", NO_COST, true},
    {LY_KEY_PPK2, "sha1", NO_COST, false},       {LY_KEY_PPK3, "argon2id", PASSES, true},
    {LY_KEY_PPK3, "argon2i", PASSES, true},      {LY_KEY_PPK3, "argon2d", PASSES, true},
};

/* SSH's name of a cipher that a file's format calls otherwise ("AES-256-CBC", "DES-EDE3-CBC"). */
static const char *usual_cipher(LyKeyFormat format, const char *name)
{
    static const struct {
        const char *from, *to;
    } known[] = {{"aes-128-cbc", "aes128-cbc"}, {"aes128-cbc", "aes128-cbc"},  {"aes-192-cbc", "aes192-cbc"},
                 {"aes192-cbc", "aes192-cbc"},  {"aes-256-cbc", "aes256-cbc"}, {"aes256-cbc", "aes256-cbc"},
                 {"des-ede3-cbc", "3des-cbc"},  {"3des-cbc", "3des-cbc"}};
    bool ppk = format == LY_KEY_PPK2 || format == LY_KEY_PPK3;
    for (size_t i = 0; i < LY_COUNT(known); i++)
        if (strcasecmp(name, known[i].from) == 0)
            return ppk && strcmp(known[i].to, "aes256-cbc") != 0 ? NULL : known[i].to;
    return format == LY_KEY_OPENSSH ? name : NULL;
}

static void keep(LyKeyFormat format, const LyKeyEntry *old, LyKeyWriteOptions *options)
{
    options->cipher = usual_cipher(format, old->cipher);
    for (size_t i = 0; i < LY_COUNT(derivations); i++)
        if (old->kdf.name && derivations[i].format == format &&
            strcmp(derivations[i].kdf, old->kdf.name) == 0)
            options->kdf = old->kdf;
}

Status encryption_choose(Tool *tool, const EncryptionValues *values, LyKeyFormat format,
                         const LyKeyEntry *old, LyKeyWriteOptions *options)
{
    const char *name = ly_key_format_name(format);
    if (old && old->encrypted)
        keep(format, old, options);
    if (values->cipher)
        options->cipher = values->cipher;
    if (!values->kdf && !values->rounds && !values->memory)
        return STATUS_OK;
    const char *kdf = values->kdf ? values->kdf : options->kdf.name;
    if (!kdf && format == LY_KEY_PKCS8 && values->memory)
        kdf = "scrypt";
    size_t i = 0;
    while (i < LY_COUNT(derivations) &&
           (derivations[i].format != format || (kdf && strcmp(derivations[i].kdf, kdf) != 0)))
        i++;
    if (i == LY_COUNT(derivations))
        return tool_fail(tool, STATUS_USAGE, "the format %s has no key derivation %s", name,
                         kdf ? LY_PRINTABLE(ly_bytes_str(kdf)) : "at all");
    if ((values->rounds && derivations[i].cost == NO_COST) || (values->memory && !derivations[i].memory))
        return tool_fail(tool, STATUS_USAGE, "%s of the format %s has no %s to set", derivations[i].kdf, name,
                         values->rounds && derivations[i].cost == NO_COST ? "rounds" : "memory");
    if (!options->kdf.name || strcmp(options->kdf.name, derivations[i].kdf) != 0)
        options->kdf = (LyKeyKdf){.name = derivations[i].kdf};
    if (values->memory)
        options->kdf.memory_kib = values->memory;
    if (values->rounds && derivations[i].cost == ROUNDS)
        options->kdf.rounds = (uint32_t)values->rounds;
    if (values->rounds && derivations[i].cost == ITERATIONS)
        options->kdf.iterations = values->rounds;
    if (values->rounds && derivations[i].cost == PASSES)
        options->kdf.passes = (uint32_t)values->rounds;
    return STATUS_OK;
}
