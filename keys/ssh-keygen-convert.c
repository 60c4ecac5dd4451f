/* Keys from one form into another, on standard output. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/base64.h"
#include "base/secret.h"
#include "files.h"
#include "ssh-keygen-private.h"

#define FILE_LIMIT ((size_t)64 << 20)
#define EXPORT_COMMENT_MAX 60 /* so that the header stays one line of 72 */

static void print(const LyBuf *text)
{
    fwrite(text->data, 1, text->len, stdout);
}

/* Is there a file? `program` is put in front of the message where ssh-keygen does so. */
static int need_existing(Keygen *keygen, const char *program)
{
    int status = KEYGEN_OK;
    struct stat about;
    if (!keygen_need_file(keygen, "Enter file in which the key is", &status))
        return status;
    if (strcmp(keygen->file, "-") != 0 && stat(keygen->file, &about) != 0)
        return keygen_fatal("%s%s: %s", program, keygen->file, strerror(errno));
    return KEYGEN_OK;
}

int keygen_public(Keygen *keygen)
{
    PrivateKey private_key;
    int status = need_existing(keygen, "");
    if (!status)
        status = keygen_load_private(keygen, keygen->file, "Enter passphrase: ", "Load key \"%s\"", NULL,
                                     &private_key);
    if (status)
        return status;
    LyBuf text = {0};
    ly_key_write_line(private_key.key, &text);
    print(&text);
    ly_buf_free(&text);
    keygen_private_clear(&private_key);
    return KEYGEN_OK;
}

/* RFC 4716 with the comment that ssh-keygen invents. */
static LyKey *with_export_comment(LyKey *key)
{
    LY_AUTO_FREE char *user = keygen_user_at_host();
    char label[64];
    LY_AUTO_FREE char *comment = ly_format("%u-bit %s, converted by %s from OpenSSH", ly_key_bits(key),
                                           keygen_blob_label(ly_key_blob(key), label, sizeof label), user);
    return ly_key_new_commented(key, ly_bytes_slice(ly_bytes_str(comment), 0, EXPORT_COMMENT_MAX));
}

static int write_export(Keygen *keygen, LyKey *key)
{
    LyError error;
    LyBuf text = {0};
    LyKeyFormat format = keygen->convert_format == LY_KEY_PKCS8 ? LY_KEY_SPKI : keygen->convert_format;
    LyKey *written = format == LY_KEY_RFC4716 ? with_export_comment(key) : ly_key_ref(key);
    int status = KEYGEN_OK;
    if (ly_key_write_public(written, format, &text, &error))
        print(&text);
    else
        status = keygen_fatal("Cannot export \"%s\": %s", keygen->file, error.message);
    ly_key_unref(written);
    ly_buf_free(&text);
    return status;
}

int keygen_export(Keygen *keygen)
{
    LyError error;
    int status = need_existing(keygen, "ssh-keygen: ");
    if (status)
        return status;
    PrivateKey private_key = {0};
    LyKey *key = keygen_load_public(keygen, keygen->file, NULL, &error);
    if (!key) {
        status = keygen_load_private(keygen, keygen->file, "Enter passphrase: ", "Load key \"%s\"", NULL,
                                     &private_key);
        key = status ? NULL : ly_key_ref(private_key.key);
    }
    if (!status)
        status = write_export(keygen, key);
    ly_key_unref(key);
    keygen_private_clear(&private_key);
    return status;
}

/* A blob's base64 with headers, or with neither BEGIN nor END, which ssh-keygen reads too. */
static LyKey *read_bare_blob(Keygen *keygen, LyBytes text, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf base64 = {0};
    LY_AUTO(ly_buf_free) LyBuf blob = {0};
    LyBytes line;
    for (bool folded = false; ly_bytes_line(&text, &line);) {
        line = ly_bytes_trim(line);
        bool header = folded || ly_bytes_find(line, LY_BYTES(": ")) != SIZE_MAX || ly_bytes_starts_with(line, "----");
        folded = header && line.len && line.data[line.len - 1] == '\\';
        if (!header)
            ly_buf_add(&base64, line);
    }
    if (!base64.len || !ly_base64_decode(&blob, ly_buf_bytes(&base64), true))
        return NULL;
    return ly_key_new_public(keygen->crypto, ly_buf_bytes(&blob), error);
}

/* Any key that is known, be it in the format that -m names or not. */
static LyKey *read_import(Keygen *keygen, LyBytes text, LyError *error)
{
    LyKeyReadOptions options = keygen->tool->limits;
    LyKey *key = ly_key_read(keygen->crypto, text, &options, error);
    if (!key && error->code == LY_ERROR_PASSPHRASE) {
        char *passphrase = keygen->passphrase ? keygen_secret_copy(keygen->passphrase)
                                              : keygen_ask_passphrase(keygen, "Enter passphrase: ");
        options.have_passphrase = true;
        options.passphrase = ly_bytes_str(passphrase);
        key = ly_key_read(keygen->crypto, text, &options, error);
        ly_secret_free(passphrase);
    } else if (!key) {
        key = read_bare_blob(keygen, text, NULL);
    }
    return key;
}

static int write_import(Keygen *keygen, LyKey *key)
{
    LyError error;
    LyBuf text = {0};
    bool ok = true;
    if (ly_key_has_secret(key)) { /* ssh-keygen gives PEM; what has none, in OpenSSH's format */
        LyPkType type = ly_key_type(key)->pk;
        bool classic = type == LY_PK_RSA || type == LY_PK_DSA || type == LY_PK_ECDSA;
        LyKeyFormat format = classic && ly_key_is_private(key) ? LY_KEY_PEM : LY_KEY_OPENSSH;
        ok = ly_key_write_private(keygen->crypto, key, format, NULL, &text, &error);
    } else {
        LyKey *bare = ly_key_new_commented(key, (LyBytes){0});
        ly_key_write_line(bare, &text);
        ly_key_unref(bare);
    }
    if (ok)
        print(&text);
    ly_buf_free(&text);
    return ok ? KEYGEN_OK : keygen_fatal("key write failed: %s", error.message);
}

int keygen_import(Keygen *keygen)
{
    LyError error;
    int status = need_existing(keygen, "ssh-keygen: ");
    if (status)
        return status;
    LyBuf text = {0};
    LyKey *key = NULL;
    if (file_read(keygen->file, FILE_LIMIT, &text, &error))
        key = read_import(keygen, ly_buf_bytes(&text), &error);
    if (key)
        status = write_import(keygen, key);
    else
        status = keygen_fatal("Cannot import \"%s\": %s", keygen->file, KEYGEN_ERROR(&error));
    ly_key_unref(key);
    ly_buf_free(&text);
    return status;
}
