/* SSHSIG signatures: -Y. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/names.h"
#include "files.h"
#include "key/sshsig.h"
#include "signer.h"
#include "ssh-keygen-private.h"

#define FILE_LIMIT ((size_t)64 << 20)

typedef struct SignKey {
    LyKey *key; /* what the signature tells: a certificate where one was named */
    PrivateKey private_key;
    Signer signer;
    bool agent;
    LyHash hash;
} SignKey;

static void sign_key_close(SignKey *with)
{
    if (with->agent)
        signer_close(&with->signer);
    ly_key_unref(with->key);
    keygen_private_clear(&with->private_key);
}

static bool agent_has(Keygen *keygen, const LyKey *key)
{
    LyKey **keys = NULL;
    size_t count = 0;
    bool found = false;
    if (!getenv("SSH_AUTH_SOCK") || !agent_keys(keygen->tool, &keys, &count, NULL))
        return false;
    for (size_t i = 0; i < count; i++) {
        found = found || ly_key_equal_public(keys[i], key);
        ly_key_unref(keys[i]);
    }
    ly_free(keys);
    return found;
}

/* KEY for KEY.pub and KEY-cert.pub. */
static char *private_path(const char *path)
{
    static const char *const ends[] = {"-cert.pub", ".pub"};
    size_t len = strlen(path);
    for (size_t i = 0; i < LY_COUNT(ends); i++) {
        size_t end = strlen(ends[i]);
        if (len > end && strcmp(path + len - end, ends[i]) == 0)
            return ly_bytes_dup_str(ly_bytes(path, len - end));
    }
    return ly_strdup(path);
}

static int sign_key_open(Keygen *keygen, SignKey *with)
{
    LyError error;
    with->key = keygen_load_public(keygen, keygen->file, NULL, &error);
    if (!with->key)
        return keygen_fatal("Couldn't load public key %s: %s", keygen->file, KEYGEN_ERROR(&error));
    with->agent = agent_has(keygen, with->key);
    if (with->agent)
        return signer_open(keygen->tool, keygen->file, true, &with->signer) == STATUS_OK ? KEYGEN_OK
                                                                                         : KEYGEN_FATAL;
    LY_AUTO_FREE char *path = private_path(keygen->file);
    int status =
        keygen_load_private(keygen, path, "Enter passphrase: ", "Load key \"%s\"", NULL, &with->private_key);
    if (status)
        return status;
    if (!ly_bytes_equal(ly_key_plain_blob(with->key), ly_key_plain_blob(with->private_key.key)))
        return keygen_fatal("Public key %s doesn't match private %s", keygen->file, path);
    if (!ly_key_is_private(with->private_key.key))
        return keygen_fatal("The private half of %s is in a security key: sign with it through an agent",
                            path);
    return KEYGEN_OK;
}

static bool make_signature(Keygen *keygen, SignKey *with, LyBytes digest, LyBuf *armoured, LyError *error)
{
    LyBytes names = ly_bytes_str(keygen->names);
    LyBuf data = {0}, signature = {0};
    bool ok = ly_sshsig_put_signed_data(names, with->hash, digest, &data, error);
    /* RSA with SHA-512, also under a certificate: both sign alike. */
    LyBytes algorithm = ly_key_type(with->key)->pk == LY_PK_RSA ? LY_BYTES("rsa-sha2-512") : (LyBytes){0};
    if (ok && with->agent) {
        ok =
            signer_sign(keygen->tool, &with->signer, algorithm, ly_buf_bytes(&data), &signature) == STATUS_OK;
        if (!ok)
            ly_error_set(error, LY_ERROR_AUTH, "the agent did not sign");
    } else if (ok) {
        ok = ly_key_sign(with->private_key.key, algorithm, ly_buf_bytes(&data), &signature, error);
    }
    if (ok)
        ly_sshsig_write(ly_key_blob(with->key), names, with->hash, ly_buf_bytes(&signature), armoured);
    ly_buf_free(&data);
    ly_buf_free(&signature);
    return ok;
}

/* "-": standard input, to standard output; else FILE.sig. */
static int sign_one(Keygen *keygen, SignKey *with, const char *path)
{
    LyError error;
    uint8_t digest[LY_HASH_MAX];
    bool standard = strcmp(path, "-") == 0;
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    if (!standard && access(path, R_OK) != 0)
        return keygen_fatal("Cannot open %s for signing: %s", path, strerror(errno));
    if (!keygen->quiet && standard)
        fprintf(stderr, "Signing data on standard input\n");
    else if (!keygen->quiet)
        fprintf(stderr, "Signing file %s\n", path);
    if (!file_digest(keygen->tool, path, with->hash, digest, &error) ||
        !make_signature(keygen, with, ly_bytes(digest, ly_hash_len(with->hash)), &text, &error))
        return keygen_fatal("Signing %s failed: %s", standard ? "(stdin)" : path, KEYGEN_ERROR(&error));
    if (standard) {
        fwrite(text.data, 1, text.len, stdout);
        return KEYGEN_OK;
    }
    LY_AUTO_FREE char *file = ly_format("%s.sig", path);
    if (!keygen_may_overwrite(file))
        return KEYGEN_OK;
    if (!file_write(file, FILE_REPLACE, 0666, ly_buf_bytes(&text), &error))
        return keygen_fatal("Cannot open %s: %s", file, KEYGEN_ERROR(&error));
    if (!keygen->quiet)
        fprintf(stderr, "Write signature to %s\n", file);
    return KEYGEN_OK;
}

/* -O hashalg=sha256|sha512 */
static bool read_sign_options(const Keygen *keygen, LyHash *hash)
{
    for (size_t i = 0; i < keygen->options.count; i++) {
        const char *option = keygen->options.items[i];
        bool known = strncasecmp(option, "hashalg=", 8) == 0;
        if (known && strcmp(option + 8, "sha256") == 0) {
            *hash = LY_SHA256;
        } else if (known && strcmp(option + 8, "sha512") == 0) {
            *hash = LY_SHA512;
        } else {
            if (known)
                keygen_say("unsupported hash algorithm \"%s\": use sha256 or sha512", option + 8);
            else
                keygen_say("Invalid option \"%s\"", option);
            return false;
        }
    }
    return true;
}

int keygen_sign(Keygen *keygen, int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (argc > 1 && strcmp(argv[i], "-") == 0)
            return keygen_fatal("Cannot sign mix of paths and standard input");
    SignKey with = {.hash = LY_SHA512};
    if (!read_sign_options(keygen, &with.hash))
        return KEYGEN_FATAL;
    int status = sign_key_open(keygen, &with);
    if (!status && argc == 0)
        status = sign_one(keygen, &with, "-");
    for (int i = 0; i < argc && !status; i++)
        status = sign_one(keygen, &with, argv[i]);
    sign_key_close(&with);
    return status;
}

typedef struct VerifyOptions {
    uint64_t when;
    bool print_public;
} VerifyOptions;

static bool read_verify_options(const Keygen *keygen, bool verifying, VerifyOptions *options)
{
    LyError error;
    *options = (VerifyOptions){.when = (uint64_t)time(NULL)};
    for (size_t i = 0; i < keygen->options.count; i++) {
        const char *option = keygen->options.items[i];
        if (strncasecmp(option, "verify-time=", 12) == 0) {
            if (!ly_time_read(ly_bytes_str(option + 12), &options->when, &error) || !options->when) {
                keygen_say("Invalid \"verify-time\" option");
                return false;
            }
        } else if (verifying && strcasecmp(option, "print-pubkey") == 0) {
            options->print_public = true;
        } else {
            keygen_say("Invalid option \"%s\"", option);
            return false;
        }
    }
    return true;
}

static LySshsig *read_signature(Keygen *keygen)
{
    LyError error;
    LyBuf text = {0};
    LySshsig *sshsig = NULL;
    if (!file_read(keygen->authority, FILE_LIMIT, &text, &error))
        keygen_say("Couldn't read signature file: %s", KEYGEN_ERROR(&error));
    else if (!(sshsig = ly_sshsig_read(keygen->crypto, ly_buf_bytes(&text), &error)))
        keygen_say("Couldn't parse signature: %s", error.message);
    ly_buf_free(&text);
    return sshsig;
}

static bool read_signers(Keygen *keygen, LyBuf *text)
{
    LyError error;
    if (file_read(keygen->file, FILE_LIMIT, text, &error))
        return true;
    keygen_say("Unable to open allowed keys file \"%s\": %s", keygen->file, KEYGEN_ERROR(&error));
    return false;
}

/* -r: a KRL, or a file of keys. What cannot be read revokes all. */
static bool is_revoked(Keygen *keygen, LyKey *key)
{
    LyError error = {0};
    LyBuf text = {0};
    bool revoked = true;
    if (file_read(keygen->host, FILE_LIMIT, &text, &error)) {
        bool binary = ly_bytes_starts_with(ly_buf_bytes(&text), "SSHKRL\n");
        LyKrl *krl =
            binary ? ly_krl_read(keygen->crypto, ly_buf_bytes(&text), &error) : ly_krl_new(keygen->crypto);
        /* A file of keys revokes them, and what a CA among them signed. */
        if (krl && (binary || ly_krl_add_text(krl, ly_buf_bytes(&text), (LyBytes){0}, &error)))
            revoked = ly_krl_revokes(krl, key);
        ly_krl_free(krl);
    }
    if (error.code)
        keygen_say("Cannot read revoked keys from %s: %s", keygen->host, KEYGEN_ERROR(&error));
    ly_buf_free(&text);
    return revoked;
}

static bool verify(Keygen *keygen, LySshsig *sshsig, bool check_signer, uint64_t when)
{
    LyError error;
    uint8_t digest[LY_HASH_MAX];
    LyHash hash = ly_sshsig_hash(sshsig);
    LyKey *key = ly_sshsig_key(sshsig);
    LyBytes names = ly_bytes_str(keygen->names);
    if (!ly_bytes_equal(names, ly_sshsig_namespace(sshsig))) {
        keygen_say("Couldn't verify signature: namespace does not match");
        return false;
    }
    if (!file_digest(keygen->tool, "-", hash, digest, &error)) {
        keygen_say("Cannot read standard input: %s", KEYGEN_ERROR(&error));
        return false;
    }
    if (!ly_sshsig_verify(sshsig, names, ly_bytes(digest, ly_hash_len(hash)), NULL, &error)) {
        keygen_say("Signature verification failed: %s",
                   error.code == LY_ERROR_VERIFY ? "incorrect signature" : error.message);
        return false;
    }
    if (keygen->host && check_signer && is_revoked(keygen, key))
        return false;
    if (!check_signer)
        return true;
    LY_AUTO(ly_buf_free) LyBuf signers = {0};
    if (!read_signers(keygen, &signers))
        return false;
    bool allowed = ly_allowed_signers_check(keygen->crypto, ly_buf_bytes(&signers), ly_bytes_str(keygen->id),
                                            names, key, when, &error);
    if (!allowed)
        keygen_say("%s", error.message);
    return allowed;
}

static void print_verdict(Keygen *keygen, LySshsig *sshsig, bool check_signer)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LyKey *key = ly_sshsig_key(sshsig);
    char label[64];
    keygen_put_fingerprint(keygen, key, keygen->hash, false, &text);
    printf("Good \"%s\" signature %s%s%swith %s key %s\n", keygen->names, check_signer ? "for " : "",
           check_signer ? keygen->id : "", check_signer ? " " : "",
           keygen_blob_label(ly_key_blob(key), label, sizeof label), ly_buf_str(&text));
}

int keygen_verify(Keygen *keygen, bool check_signer)
{
    VerifyOptions options;
    LySshsig *sshsig = NULL;
    bool good = read_verify_options(keygen, true, &options) && (sshsig = read_signature(keygen)) != NULL &&
                verify(keygen, sshsig, check_signer, options.when);
    if (!keygen->quiet && good)
        print_verdict(keygen, sshsig, check_signer);
    else if (!keygen->quiet)
        printf("Could not verify signature.\n");
    if (good && options.print_public) {
        LyBuf line = {0};
        LyKey *bare = ly_key_new_commented(ly_sshsig_key(sshsig), (LyBytes){0});
        ly_key_write_line(bare, &line);
        fwrite(line.data, 1, line.len, stdout);
        ly_buf_free(&line);
        ly_key_unref(bare);
    }
    ly_sshsig_free(sshsig);
    return good ? KEYGEN_OK : KEYGEN_FATAL;
}

/* A line a principal; a pattern list is one line in the file and several here. */
static void print_principals(LyBytes principals)
{
    LY_AUTO(ly_buf_free) LyBuf shown = {0};
    for (LyBytes line; ly_bytes_line(&principals, &line);)
        for (LyBytes name; ly_names_next(&line, &name);)
            printf("%s\n", keygen_visible(name, &shown));
}

int keygen_find_principals(Keygen *keygen)
{
    LyError error = {0};
    VerifyOptions options;
    LY_AUTO(ly_buf_free) LyBuf signers = {0};
    LY_AUTO(ly_buf_free) LyBuf principals = {0};
    LySshsig *sshsig = NULL;
    bool found = read_verify_options(keygen, false, &options) && (sshsig = read_signature(keygen)) != NULL &&
                 read_signers(keygen, &signers) &&
                 /* ssh-keygen does not ask which namespaces a line is for. */
                 ly_allowed_signers_find(keygen->crypto, ly_buf_bytes(&signers), (LyBytes){0},
                                         ly_sshsig_key(sshsig), options.when, &principals, &error);
    if (found)
        print_principals(ly_buf_bytes(&principals));
    else
        fprintf(stderr, "No principal matched.\n");
    ly_sshsig_free(sshsig);
    return found ? KEYGEN_OK : KEYGEN_FATAL;
}

int keygen_match_principals(Keygen *keygen)
{
    enum { NOT_FOUND = 210, NO_FILE = 232 }; /* what ssh-keygen 9.2's negative codes become */
    LyError error = {0};
    LY_AUTO(ly_buf_free) LyBuf signers = {0};
    LY_AUTO(ly_buf_free) LyBuf principals = {0};
    bool read = read_signers(keygen, &signers);
    if (read &&
        ly_allowed_signers_match(ly_buf_bytes(&signers), ly_bytes_str(keygen->id), &principals, &error)) {
        fwrite(principals.data, 1, principals.len, stdout);
        return KEYGEN_OK;
    }
    fprintf(stderr, "No principal matched.\n");
    return read ? NOT_FOUND : NO_FILE;
}
