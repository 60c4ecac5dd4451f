#include "key/read.h"

#include "base/auto.h"
#include "base/base64.h"
#include "key/read-private.h"
#include "key/text.h"

bool ly_key_needs_passphrase(LyError *error)
{
    return ly_error_set(error, LY_ERROR_PASSPHRASE, "the key is encrypted and no passphrase was given");
}

bool ly_key_wrong_passphrase(LyError *error)
{
    return ly_error_set(error, LY_ERROR_PASSPHRASE,
                        "the passphrase is wrong, or the encrypted part is damaged");
}

typedef LyKey *BlockReader(LyCrypto *crypto, LyBytes label, LyBytes body, const LyKeyReadOptions *options,
                           bool public_only, LyError *error);

/* What may stand between BEGIN and END. A block without a reader is passed over; where no key follows, its
 * note is the error. */
static const struct {
    const char *label;
    BlockReader *read;
    const char *note;
} blocks[] = {
    {"OPENSSH PRIVATE KEY", ly_key_read_openssh, NULL},
    {"RSA PRIVATE KEY", ly_key_read_pem, NULL},
    {"EC PRIVATE KEY", ly_key_read_pem, NULL},
    {"DSA PRIVATE KEY", ly_key_read_pem, NULL},
    {"PRIVATE KEY", ly_key_read_pem, NULL},
    {"ENCRYPTED PRIVATE KEY", ly_key_read_pem, NULL},
    {"PUBLIC KEY", ly_key_read_pem, NULL},
    {"RSA PUBLIC KEY", ly_key_read_pem, NULL},
    {"EC PARAMETERS", NULL, "this names a curve only, and no key follows"},
    {"DSA PARAMETERS", NULL, "these are DSA parameters only, and no key follows"},
    {"CERTIFICATE", NULL, "this is an X.509 certificate and no SSH key"},
    {"TRUSTED CERTIFICATE", NULL, "this is an X.509 certificate and no SSH key"},
    {"CERTIFICATE REQUEST", NULL, "this is an X.509 certificate request and no SSH key"},
    {"PGP PRIVATE KEY BLOCK", NULL, "this is a PGP key and no SSH key"},
    {"PGP PUBLIC KEY BLOCK", NULL, "this is a PGP key and no SSH key"},
    {"SSH SIGNATURE", NULL, "this is an SSH signature and no key"},
};

/* Formats told from how the text begins that are not PEM-like. */
static const struct {
    const char *start, *note;
} others[] = {
    {"PuTTY-User-Key-File-",
     "this is a PuTTY key (PPK), which is not read here: puttygen -O private-openssh converts it"},
    {"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY",
     "this is an ssh.com private key, which is not read here: puttygen converts it"},
    {"---- BEGIN SSH2 PUBLIC KEY",
     "this is an RFC 4716 public key, which is not read here: ssh-keygen -i converts it"},
    {"SSH PRIVATE KEY FILE FORMAT 1", "this is a key for SSH version 1, which is no longer in use"},
    {"\xff\xfe", "this is UTF-16 text: save it as UTF-8"},
    {"\xfe\xff", "this is UTF-16 text: save it as UTF-8"},
    {"\x30\x80", "this is binary DER: convert it to PEM"},
    {"\x30\x81", "this is binary DER: convert it to PEM"},
    {"\x30\x82", "this is binary DER: convert it to PEM"},
};

static bool find(LyBytes text, LyBytes what, size_t *at)
{
    const uint8_t *found = text.len && what.len ? memmem(text.data, text.len, what.data, what.len) : NULL;
    if (found)
        *at = (size_t)(found - text.data);
    return found != NULL;
}

/* Takes "-----BEGIN label-----body-----END label-----" off the text, wherever it starts and whatever ends its
 * lines. False with `error` unset where no block begins. */
static bool next_block(LyBytes *text, LyBytes *label, LyBytes *body, LyError *error)
{
    size_t begin, len, end;
    if (!find(*text, LY_BYTES("-----BEGIN "), &begin))
        return false;
    LyBytes rest = ly_bytes_slice(*text, begin + strlen("-----BEGIN "), text->len);
    if (!find(ly_bytes_slice(rest, 0, 64), LY_BYTES("-----"), &len))
        return ly_error_set(error, LY_ERROR_INVALID, "the BEGIN line is damaged");
    LyBytes name = ly_bytes_slice(rest, 0, len);
    rest = ly_bytes_slice(rest, len + 5, rest.len);
    LY_AUTO(ly_buf_free) LyBuf mark = {0};
    ly_buf_add_str(&mark, "-----END ");
    ly_buf_add(&mark, name);
    ly_buf_add_str(&mark, "-----");
    if (!find(rest, ly_buf_bytes(&mark), &end))
        return ly_error_set(error, LY_ERROR_INVALID,
                            "the END line of \"%s\" is missing: the file is cut short or damaged",
                            LY_PRINTABLE(name));
    *label = name;
    *body = ly_bytes_slice(rest, 0, end);
    *text = ly_bytes_slice(rest, end + mark.len, rest.len);
    return true;
}

static LyKey *read_blocks(LyCrypto *crypto, LyBytes text, const LyKeyReadOptions *options, bool public_only,
                          LyError *error)
{
    LyBytes label, body;
    LyError damage = {0}, note = {0};
    while (next_block(&text, &label, &body, &damage)) {
        size_t i = 0;
        while (i < LY_COUNT(blocks) && !ly_bytes_is(label, blocks[i].label))
            i++;
        if (i < LY_COUNT(blocks) && blocks[i].read)
            return blocks[i].read(crypto, label, body, options, public_only, error);
        if (i < LY_COUNT(blocks))
            ly_error_set(&note, LY_ERROR_INVALID, "%s", blocks[i].note);
        else
            ly_error_set(&note, LY_ERROR_UNSUPPORTED, "\"%s\" is not a format that is known",
                         LY_PRINTABLE(label));
    }
    const LyError *reason = damage.code ? &damage : &note;
    ly_error_set(error, reason->code, "%s", reason->message);
    return NULL;
}

LyKey *ly_key_read_line(LyCrypto *crypto, LyBytes line, LyError *error)
{
    LyBytes type = ly_text_word(&line), base64 = ly_text_word(&line);
    LY_AUTO(ly_buf_free) LyBuf blob = LY_BUF(LY_KEY_TEXT_LIMIT);
    if (!ly_key_type_find(type, NULL)) {
        ly_error_set(error, LY_ERROR_UNSUPPORTED, "the key type \"%s\" is not known", LY_PRINTABLE(type));
        return NULL;
    }
    if (base64.len == 0 || !ly_base64_decode(&blob, base64, false)) {
        ly_error_set(error, LY_ERROR_INVALID, "the base64 text of the %.*s key is damaged or cut short",
                     (int)type.len, (const char *)type.data);
        return NULL;
    }
    LyKey *key = ly_key_new_public(crypto, ly_buf_bytes(&blob), error);
    if (key && !ly_bytes_is(type, ly_key_type_name(key))) {
        ly_error_set(error, LY_ERROR_INVALID, "the line says %.*s, but its key is %s", (int)type.len,
                     (const char *)type.data, ly_key_type_name(key));
        ly_key_unref(key);
        return NULL;
    }
    if (!key || line.len == 0)
        return key;
    LyKey *commented = ly_key_new_commented(key, line);
    ly_key_unref(key);
    return commented;
}

static LyKey *read_lines(LyCrypto *crypto, LyBytes text, LyError *error)
{
    LyBytes line;
    while (ly_text_line(&text, &line)) {
        LyBytes rest = ly_bytes_trim(line);
        if (rest.len == 0 || rest.data[0] == '#')
            continue;
        if (ly_key_type_find(ly_text_word(&rest), NULL))
            return ly_key_read_line(crypto, line, error);
        break;
    }
    ly_error_set(error, LY_ERROR_INVALID, "this is not a key in any format that is known");
    return NULL;
}

static LyKey *read_text(LyCrypto *crypto, LyBytes text, const LyKeyReadOptions *options, bool public_only,
                        LyError *error)
{
    static const LyKeyReadOptions none = {0};
    size_t at;
    if (text.len > LY_KEY_TEXT_LIMIT) {
        ly_error_set(error, LY_ERROR_LIMIT, "a key file of %zu bytes is refused: the limit is %zu", text.len,
                     LY_KEY_TEXT_LIMIT);
        return NULL;
    }
    if (ly_bytes_starts_with(text, "\xef\xbb\xbf"))
        text = ly_bytes_slice(text, 3, text.len);
    for (size_t i = 0; i < LY_COUNT(others); i++) {
        if (ly_bytes_starts_with(ly_bytes_trim(text), others[i].start)) {
            ly_error_set(error, LY_ERROR_UNSUPPORTED, "%s", others[i].note);
            return NULL;
        }
    }
    if (find(text, LY_BYTES("-----BEGIN "), &at))
        return read_blocks(crypto, text, options ? options : &none, public_only, error);
    return read_lines(crypto, text, error);
}

LyKey *ly_key_read(LyCrypto *crypto, LyBytes text, const LyKeyReadOptions *options, LyError *error)
{
    return read_text(crypto, text, options, false, error);
}

LyKey *ly_key_read_public(LyCrypto *crypto, LyBytes text, LyError *error)
{
    LyKey *key = read_text(crypto, text, NULL, true, error);
    if (!key || !ly_key_has_secret(key))
        return key;
    LyKey *bare = ly_key_new_public(crypto, ly_key_blob(key), error);
    LyKey *commented = bare ? ly_key_new_commented(bare, ly_key_comment(key)) : NULL;
    ly_key_unref(bare);
    ly_key_unref(key);
    return commented;
}
