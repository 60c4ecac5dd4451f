/* Keys in and out of files, with ssh-keygen's words for what goes wrong. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/secret.h"
#include "files.h"
#include "ssh-keygen-private.h"

#define FILE_LIMIT ((size_t)64 << 20)
#define ROUNDS 16          /* of bcrypt, ssh-keygen 9.2's */
#define PASSPHRASE_LEAST 5 /* for PEM and PKCS#8: OpenSSL's rule, which ssh-keygen shows */

void keygen_private_clear(PrivateKey *private_key)
{
    ly_key_unref(private_key->key);
    ly_secret_free(private_key->passphrase);
    *private_key = (PrivateKey){0};
}

/* ssh and ssh-keygen refuse private keys that others can read; so do we, in their words. */
static bool is_private_enough(const char *path)
{
    struct stat status;
    if (strcmp(path, "-") == 0 || stat(path, &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_uid != getuid() || !(status.st_mode & 077))
        return true;
    keygen_say("@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@");
    keygen_say("@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @");
    keygen_say("@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@");
    keygen_say("Permissions 0%3.3o for '%s' are too open.", status.st_mode & 0777, path);
    keygen_say("It is required that your private key files are NOT accessible by others.");
    keygen_say("This private key will be ignored.");
    return false;
}

/* The first key of the text that has a private half. */
static bool read_private(Keygen *keygen, LyBytes text, const char *passphrase, PrivateKey *out,
                         LyError *error)
{
    LyKeyReadOptions options = keygen->tool->limits;
    options.have_passphrase = passphrase != NULL;
    options.passphrase = ly_bytes_str(passphrase);
    LyKeyFile file = {0};
    if (!ly_key_file_read(keygen->crypto, text, &options, &file, error))
        return false;
    bool found = false;
    ly_error_set(error, LY_ERROR_INVALID, "there is no private key in it");
    for (size_t i = 0; i < file.count && !found; i++) {
        LyKeyEntry *entry = &file.entries[i];
        if (!entry->has_private)
            continue;
        if (!entry->key || !ly_key_has_secret(entry->key)) {
            *error = entry->error;
            break;
        }
        found = !ly_key_is_private(entry->key) || ly_key_check(entry->key, error);
        if (!found)
            break;
        out->key = ly_key_ref(entry->key);
        out->format = entry->format;
        out->has_comment = entry->format != LY_KEY_PEM && entry->format != LY_KEY_PKCS8;
    }
    ly_key_file_clear(&file);
    return found;
}

int keygen_load_private(Keygen *keygen, const char *path, const char *prompt, const char *what,
                        const char *second, PrivateKey *private_key)
{
    LyError error = {0};
    LyBuf text = {0};
    *private_key = (PrivateKey){0};
    bool loaded = false;
    if (file_read(path, FILE_LIMIT, &text, &error) && !is_private_enough(path)) {
        error.code = LY_ERROR_UNSUPPORTED;
        snprintf(error.message, sizeof error.message, "bad permissions");
    } else if (text.len || !error.code) {
        private_key->passphrase = keygen_secret_copy("");
        loaded = read_private(keygen, ly_buf_bytes(&text), NULL, private_key, &error);
        if (!loaded && error.code == LY_ERROR_PASSPHRASE) {
            ly_secret_free(private_key->passphrase);
            const char *given = keygen->passphrase ? keygen->passphrase : second;
            private_key->passphrase =
                given ? keygen_secret_copy(given) : keygen_ask_passphrase(keygen, prompt);
            loaded = read_private(keygen, ly_buf_bytes(&text), private_key->passphrase, private_key, &error);
        }
    }
    ly_buf_free(&text);
    if (loaded)
        return KEYGEN_OK;
    LY_AUTO_FREE char *subject = ly_format(what, path);
    keygen_private_clear(private_key);
    return keygen_fatal("%s: %s", subject, KEYGEN_ERROR(&error));
}

/* The first public key of a file. *is_private: it is the public half that a private key shows. */
static LyKey *first_public(Keygen *keygen, const char *path, bool *is_private, LyError *error)
{
    LyBuf text = {0};
    LyKeyReadOptions options = keygen->tool->limits;
    options.public_only = true;
    LyKeyFile file = {0};
    LyKey *key = NULL;
    *is_private = false;
    if (file_read(path, FILE_LIMIT, &text, error) &&
        ly_key_file_read(keygen->crypto, ly_buf_bytes(&text), &options, &file, error)) {
        for (size_t i = 0; i < file.count && !key; i++) {
            const LyKeyEntry *entry = &file.entries[i];
            if (entry->key) {
                key = ly_key_ref(entry->key);
                *is_private = entry->has_private;
            } else if (error) {
                *error = entry->error;
            }
        }
    }
    ly_key_file_clear(&file);
    ly_buf_free(&text);
    return key;
}

LyKey *keygen_load_public(Keygen *keygen, const char *path, char **comment, LyError *error)
{
    LY_AUTO_FREE char *sibling = ly_format("%s.pub", path);
    bool is_private, sibling_is_private;
    LyKey *own = first_public(keygen, path, &is_private, error), *other = NULL;
    if (!own || is_private)
        other = first_public(keygen, sibling, &sibling_is_private, NULL);
    const LyKey *commented = own;
    const char *name = path;
    if (own && other) {
        if (ly_bytes_equal(ly_key_plain_blob(own), ly_key_plain_blob(other)))
            commented = other, name = sibling;
        else
            keygen_say("WARNING: %s is not the public half of %s, whose own public half is taken", sibling,
                       path);
    } else if (other) {
        commented = other, name = sibling;
    }
    if (comment) {
        LyBytes text = commented ? ly_key_comment(commented) : (LyBytes){0};
        *comment = NULL;
        if (text.len)
            *comment = keygen_comment(text);
        else if (commented && !(commented == own && is_private))
            *comment = ly_strdup(name); /* ssh-keygen's rule for lines without one */
    }
    if (own) {
        ly_key_unref(other);
        return own;
    }
    if (!other)
        ly_error_set_errno(error, ENOENT,
                           "cannot find a public key"); /* whatever it was, as ssh-keygen does */
    return other;
}

/* ssh-keygen writes what has no PEM or PKCS#8 form in its own format, and says nothing. */
static LyKeyFormat format_for(const Keygen *keygen, const LyKey *key)
{
    const LyKeyType *type = ly_key_type(key);
    bool classic = type->pk == LY_PK_RSA || type->pk == LY_PK_DSA || type->pk == LY_PK_ECDSA;
    return classic && !type->sk && !ly_key_is_certificate(key) ? keygen->private_format : LY_KEY_OPENSSH;
}

/* What was there and could be read by others must not get a private key. */
static void close_to_others(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 077))
        (void)!chmod(path, status.st_mode & 0700);
}

bool keygen_save_private(Keygen *keygen, LyKey *key, const char *path, const char *passphrase)
{
    LyError error = {0};
    LyBuf text = {0};
    LyKeyWriteOptions options = {.passphrase = ly_bytes_str(passphrase)};
    LyKeyFormat format = format_for(keygen, key);
    struct stat status;
    bool ok = true;
    if (format == LY_KEY_OPENSSH && *passphrase) {
        options.cipher = keygen->cipher;
        options.kdf = (LyKeyKdf){.name = "bcrypt", .rounds = keygen->rounds ? keygen->rounds : ROUNDS};
        if (keygen->cipher && strcmp(keygen->cipher, "none") == 0)
            ok = ly_error_set(&error, LY_ERROR_UNSUPPORTED,
                              "cipher none would leave the key readable in spite of its passphrase");
    } else if (format != LY_KEY_OPENSSH && *passphrase) {
        options.cipher = format == LY_KEY_PEM ? "aes128-cbc" : NULL; /* what older programs read */
        if (options.passphrase.len < PASSPHRASE_LEAST)
            ok = ly_error_set(&error, LY_ERROR_UNSUPPORTED,
                              "passphrase is too short (minimum five characters)");
    }
    if (ok && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        ok = ly_error_set_errno(&error, EISDIR, "cannot write it");
    ok = ok && ly_key_write_private(keygen->crypto, key, format, &options, &text, &error);
    if (ok) {
        close_to_others(path);
        ok = file_write(path, FILE_REPLACE, 0600, ly_buf_bytes(&text), &error);
    }
    if (!ok)
        keygen_say("Saving key \"%s\" failed: %s", path, KEYGEN_ERROR(&error));
    ly_buf_free(&text);
    return ok;
}

bool keygen_save_public(const LyKey *key, const char *path, LyError *error)
{
    LyBuf text = {0};
    ly_key_write_line(key, &text);
    bool ok = file_write(path, FILE_REPLACE, 0644, ly_buf_bytes(&text), error);
    ly_buf_free(&text);
    return ok;
}
