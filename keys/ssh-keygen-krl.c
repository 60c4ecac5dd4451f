/* Key revocation lists: -k and -Q. */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/auto.h"
#include "files.h"
#include "ssh-keygen-private.h"

#define KRL_LIMIT ((size_t)64 << 20)

LyKrl *keygen_load_krl(Keygen *keygen, const char *path, LyError *error)
{
    LyBuf text = {0};
    LyKrl *krl = NULL;
    if (file_read(path, KRL_LIMIT, &text, error))
        krl = ly_krl_read(keygen->crypto, ly_buf_bytes(&text), error);
    ly_buf_free(&text);
    return krl;
}

static LyKrl *load_or_say(Keygen *keygen)
{
    LyError error;
    LyKrl *krl = keygen_load_krl(keygen, keygen->file, &error);
    if (!krl && error.code == LY_ERROR_IO)
        keygen_say("Unable to load KRL %s: %s", keygen->file, KEYGEN_ERROR(&error));
    else if (!krl)
        keygen_say("Invalid KRL file %s: %s", keygen->file, error.message);
    return krl;
}

/* Certificates are revoked by number or name of one CA; which is it? NULL: nothing in the text asks for that.
 */
static const char *what_needs_authority(LyBytes text)
{
    for (LyBytes line; ly_bytes_line(&text, &line);) {
        line = ly_bytes_trim(line);
        if (line.len >= 7 && strncasecmp((const char *)line.data, "serial:", 7) == 0)
            return "serial number";
        if (line.len >= 3 && strncasecmp((const char *)line.data, "id:", 3) == 0)
            return "key ID";
    }
    return NULL;
}

/* -s: the CA's blob into `ca`. "none": of any CA. */
static bool read_authority(Keygen *keygen, LyBuf *ca)
{
    if (!keygen->authority || strcasecmp(keygen->authority, "none") == 0)
        return true;
    LyError error;
    LY_AUTO_FREE char *path = keygen_path(keygen->authority);
    LyKey *key = keygen_load_public(keygen, path, NULL, &error);
    if (key)
        ly_buf_add(ca, ly_key_blob(key));
    else
        keygen_say("Cannot load CA public key %s: %s", path, KEYGEN_ERROR(&error));
    ly_key_unref(key);
    return key != NULL;
}

static bool revoke_from(Keygen *keygen, LyKrl *krl, const char *argument, LyBytes ca)
{
    LyError error;
    LY_AUTO_FREE char *path = keygen_path(argument);
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    const char *name = strcmp(path, "-") == 0 ? "(standard input)" : path;
    if (!file_read(path, KRL_LIMIT, &text, &error)) {
        keygen_say("fopen %s: %s", path, KEYGEN_ERROR(&error));
        return false;
    }
    if (!keygen->quiet)
        printf("Revoking from %s\n", name);
    const char *needs = keygen->authority ? NULL : what_needs_authority(ly_buf_bytes(&text));
    if (needs) {
        keygen_say("revoking certificates by %s requires specification of a CA key", needs);
        return false;
    }
    if (!ly_krl_add_text(krl, ly_buf_bytes(&text), ca, &error)) {
        keygen_say("%s: %s", name, error.message);
        return false;
    }
    return true;
}

static int write_krl(Keygen *keygen, LyKrl *krl)
{
    LyError error;
    LyBuf text = {0};
    ly_krl_write(krl, (uint64_t)time(NULL), &text);
    int status = KEYGEN_OK;
    if (!file_write(keygen->file, FILE_REPLACE, 0644, ly_buf_bytes(&text), &error))
        status = keygen_fatal("write %s: %s", keygen->file, KEYGEN_ERROR(&error));
    ly_buf_free(&text);
    return status;
}

static int make(Keygen *keygen, LyKrl *krl, int argc, char **argv)
{
    LyError error;
    LY_AUTO(ly_buf_free) LyBuf ca = {0};
    if (!read_authority(keygen, &ca))
        return KEYGEN_FATAL;
    if (keygen->serial)
        ly_krl_set_version(krl, keygen->serial);
    if (keygen->comment && !ly_krl_set_comment(krl, ly_bytes_str(keygen->comment), &error))
        return keygen_fatal("Couldn't set the KRL's comment: %s", error.message);
    for (int i = 0; i < argc; i++)
        if (!revoke_from(keygen, krl, argv[i], ly_buf_bytes(&ca)))
            return KEYGEN_FATAL;
    return write_krl(keygen, krl);
}

int keygen_make_krl(Keygen *keygen, int argc, char **argv)
{
    struct stat status;
    if (!keygen->file || !*keygen->file)
        return keygen_fatal("KRL generation requires an output file");
    if (stat(keygen->file, &status) != 0) {
        if (errno != ENOENT)
            return keygen_fatal("Cannot access KRL \"%s\": %s", keygen->file, strerror(errno));
        if (keygen->update_krl)
            return keygen_fatal("KRL \"%s\" does not exist", keygen->file);
    }
    LyKrl *krl = keygen->update_krl ? load_or_say(keygen) : ly_krl_new(keygen->crypto);
    int result = krl ? make(keygen, krl, argc, argv) : KEYGEN_FATAL;
    ly_krl_free(krl);
    return result;
}

/* KEYGEN_NO: revoked. */
static int check_one(Keygen *keygen, const LyKrl *krl, const char *path)
{
    LyError error;
    char *comment = NULL;
    LyKey *key = keygen_load_public(keygen, path, &comment, &error);
    if (!key)
        return keygen_fatal("Cannot load public key %s: %s", path, KEYGEN_ERROR(&error));
    LY_AUTO(ly_buf_free) LyBuf shown = {0};
    bool revoked = ly_krl_revokes(krl, key), named = comment && *comment;
    printf("%s%s%s%s: %s\n", path, named ? " (" : "", keygen_visible(ly_bytes_str(comment), &shown),
           named ? ")" : "", revoked ? "REVOKED" : "ok");
    ly_key_unref(key);
    ly_free(comment);
    return revoked ? KEYGEN_NO : KEYGEN_OK;
}

int keygen_check_krl(Keygen *keygen, int argc, char **argv)
{
    if (!keygen->file || !*keygen->file)
        return keygen_fatal("KRL checking requires an input file");
    LyKrl *krl = load_or_say(keygen);
    if (!krl)
        return KEYGEN_FATAL;
    if (keygen->show_fingerprint) {
        LyBuf text = {0};
        ly_krl_describe(krl, &text);
        fwrite(text.data, 1, text.len, stdout);
        ly_buf_free(&text);
    }
    int status = KEYGEN_OK;
    for (int i = 0; i < argc && status != KEYGEN_FATAL; i++) {
        int one = check_one(keygen, krl, argv[i]);
        status = LY_MAX(status, one);
    }
    ly_krl_free(krl);
    return status;
}
