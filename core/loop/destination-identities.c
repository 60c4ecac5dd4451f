/* Identity and certificate files: read once, the private halves that need no passphrase at once, the others
 * kept as text. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/secret.h"
#include "key/certificate.h"
#include "loop/destination-private.h"

#define KEY_FILE_LIMIT ((size_t)1 << 20)

void ly_destination_remember(LyBytes *secret, LyBytes value)
{
    LyBytes copy = value.len ? ly_secret_copy(value) : (LyBytes){0};
    ly_secret_free((void *)secret->data);
    *secret = copy;
}

void ly_identities_clear(LyIdentities *identities)
{
    for (size_t i = 0; i < identities->count; i++) {
        LyIdentity *identity = identities->item[i];
        ly_free(identity->path);
        if (identity->key)
            ly_key_unref(identity->key);
        if (identity->private_key)
            ly_key_unref(identity->private_key);
        ly_secret_free((void *)identity->text.data);
        ly_free(identity);
    }
    ly_free(identities->item);
    *identities = (LyIdentities){0};
}

static LyIdentity *add_identity(LyIdentities *identities, const char *path)
{
    LyIdentity *identity = ly_new(LyIdentity);
    identity->path = ly_strdup(path);
    identities->item = ly_realloc(identities->item, (identities->count + 1) * sizeof *identities->item);
    identities->item[identities->count++] = identity;
    return identity;
}

static LyKey *read_public_file(LyDestination *destination, const char *path)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    if (!ly_destination_read_file(path, KEY_FILE_LIMIT, &text, NULL, NULL))
        return NULL;
    LyError error = {0};
    LyKey *key = ly_key_read_public(destination->crypto, ly_buf_bytes(&text), &error);
    if (!key)
        ly_log(&destination->log, LY_LOG_DEBUG, "%s: %s", path, error.message);
    return key;
}

/* ssh(1) refuses a private key that others may read. */
static bool private_enough(LyDestination *destination, const char *path, const struct stat *status)
{
    if (status->st_uid != getuid() || (status->st_mode & 077) == 0)
        return true;
    ly_log(&destination->log, LY_LOG_WARNING,
           "UNPROTECTED PRIVATE KEY FILE: the permissions %04o of '%s' are too open; it must not be "
           "accessible by "
           "others, so this private key is ignored",
           (unsigned)(status->st_mode & 07777), path);
    return false;
}

/* Takes a private key file in: its public half, and the private half or the text to decrypt later. False: no
 * such file. */
static bool read_identity(LyDestination *destination, LyIdentity *identity, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    struct stat status;
    LyError failure = {0};
    if (!ly_destination_read_file(identity->path, KEY_FILE_LIMIT, &text, &status, &failure)) {
        if (error)
            *error = failure;
        return false;
    }
    LyKey *key = ly_key_read(destination->crypto, ly_buf_bytes(&text), NULL, &failure);
    LyKey *shown = ly_key_read_public(destination->crypto, ly_buf_bytes(&text), NULL);
    bool secret = key ? ly_key_is_private(key) : failure.code == LY_ERROR_PASSPHRASE;
    if (secret && !private_enough(destination, identity->path, &status)) {
        secret = false;
        if (key)
            ly_key_unref(key);
        key = NULL;
    } else if (!key && !secret) {
        ly_log(&destination->log, LY_LOG_DEBUG, "%s: %s", identity->path, failure.message);
    }
    identity->key = shown ? shown : key ? ly_key_ref(key) : NULL;
    if (secret && key)
        identity->private_key = ly_key_ref(key);
    else if (secret)
        identity->text = ly_secret_copy(ly_buf_bytes(&text));
    if (key)
        ly_key_unref(key);
    return true;
}

static bool is_user_certificate(const LyKey *key)
{
    LyCertificate certificate;
    return ly_key_is_certificate(key) && ly_certificate_read(ly_key_blob(key), &certificate, NULL) &&
           certificate.kind == LY_CERTIFICATE_USER;
}

static void add_certificate(LyDestination *destination, const char *path, bool named)
{
    LyKey *key = read_public_file(destination, path);
    if (key && is_user_certificate(key)) {
        LyIdentity *identity = add_identity(&destination->identities, path);
        identity->key = key;
        identity->certificate_file = named;
        return;
    }
    if (named)
        ly_log(&destination->log, LY_LOG_WARNING, "%s holds no user certificate", path);
    if (key)
        ly_key_unref(key);
}

static void add_identity_file(LyDestination *destination, const char *path, bool named)
{
    LyIdentity *identity = add_identity(&destination->identities, path);
    LyError error = {0};
    LY_AUTO_FREE char *public_path = ly_format("%s.pub", path);
    bool found = read_identity(destination, identity, &error);
    if (!identity->key)
        identity->key = read_public_file(destination, public_path);
    if (!found && named)
        ly_log(&destination->log, identity->key ? LY_LOG_DEBUG : LY_LOG_WARNING, "the identity file: %s",
               error.message);
    LY_AUTO_FREE char *certificate_path = ly_format("%s-cert.pub", path);
    add_certificate(destination, certificate_path, false);
}

static void add_host_keys(LyDestination *destination)
{
    static const char *const names[] = {"ecdsa", "ed25519", "rsa"};
    for (size_t i = 0; i < LY_COUNT(names); i++) {
        LY_AUTO_FREE char *path = ly_format("/etc/ssh/ssh_host_%s_key", names[i]);
        LyIdentity *identity = add_identity(&destination->host_keys, path);
        if (!read_identity(destination, identity, NULL) || !identity->private_key)
            ly_log(&destination->log, LY_LOG_DEBUG, "%s cannot be used for hostbased authentication", path);
    }
}

void ly_destination_read_identities(LyDestination *destination)
{
    static const char *const defaults[] = {"id_rsa",     "id_ecdsa",      "id_ecdsa_sk",
                                           "id_ed25519", "id_ed25519_sk", "id_dsa"};
    const LyConfig *config = destination->config;
    const char *path;
    for (size_t i = 0; (path = ly_config_item(config, LY_CONFIG_IDENTITY_FILE, i)); i++)
        if (strcasecmp(path, "none") != 0)
            add_identity_file(destination, path, true);
    if (!ly_config_string(config, LY_CONFIG_IDENTITY_FILE)) {
        for (size_t i = 0; i < LY_COUNT(defaults); i++) {
            LY_AUTO_FREE char *default_path = ly_format("%s/.ssh/%s", destination->home, defaults[i]);
            add_identity_file(destination, default_path, false);
        }
    }
    for (size_t i = 0; (path = ly_config_item(config, LY_CONFIG_CERTIFICATE_FILE, i)); i++)
        add_certificate(destination, path, true);
    if (ly_config_flag(config, LY_CONFIG_HOSTBASED_AUTHENTICATION, false))
        add_host_keys(destination);
}
