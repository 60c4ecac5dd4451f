/* A PKCS#11 module: its keys, and signatures by them. */
#include <stdio.h>

#include "base/auto.h"
#include "crypto/hash.h"
#include "tokens.h"

enum { SIGNATURE_MAX = 2048 /* RSA of 16384 bits */, NOTES_MAX = 900 };

struct Pkcs11 {
    LyCrypto *crypto;
    CK_FUNCTION_LIST *functions;
    bool initialized;
    Token tokens[TOKENS_MAX];
    size_t token_count;
    TokenKey keys[PROVIDER_KEYS_MAX];
    size_t key_count;
};

Pkcs11 *pkcs11_open(LyCrypto *crypto, const char *path, LyError *error)
{
    Pkcs11 *module = ly_new(Pkcs11);
    module->crypto = crypto;
    module->functions = p11_kit_module_load(path, P11_KIT_MODULE_UNMANAGED);
    if (!module->functions) {
        ly_error_set(error, LY_ERROR_INVALID, "the file is no PKCS#11 module: %s", p11_kit_message());
        ly_free(module);
        return NULL;
    }
    CK_RV rv = p11_kit_module_initialize(module->functions);
    module->initialized = rv == CKR_OK;
    if (module->initialized)
        return module;
    ly_error_set(error, LY_ERROR_IO, "the module does not start: %s", p11_kit_strerror(rv));
    pkcs11_close(module);
    return NULL;
}

static void forget(Pkcs11 *module)
{
    for (size_t i = 0; i < module->key_count; i++) {
        ly_key_unref(module->keys[i].key);
        ly_buf_free(&module->keys[i].id);
    }
    for (size_t i = 0; i < module->token_count; i++)
        token_close(&module->tokens[i]);
    module->key_count = module->token_count = 0;
}

void pkcs11_close(Pkcs11 *module)
{
    if (!module)
        return;
    forget(module);
    if (module->initialized)
        p11_kit_module_finalize(module->functions);
    /* It stays mapped: some modules crash when they are unloaded, and the process ends. */
    ly_free(module);
}

/* ---- listing ---- */

/* A key that the token cannot sign with (a CA's certificate) is no key for an agent; where nobody is logged
 * in, that is not known. */
static bool is_wanted(const Pkcs11 *module, const Token *token, const LyKey *key, LyBytes id)
{
    for (size_t i = 0; i < module->key_count; i++)
        if (ly_key_equal_public(module->keys[i].key, key))
            return false;
    bool sees_all = token->logged_in || !(token->flags & CKF_LOGIN_REQUIRED);
    return !sees_all || object_find_private(token, key, id) != CK_INVALID_HANDLE;
}

static void add(Pkcs11 *module, Token *token, CK_OBJECT_HANDLE object, LyKey *key)
{
    if (!key)
        return;
    LyBuf id = {0};
    object_get(token, object, CKA_ID, &id);
    if (module->key_count < PROVIDER_KEYS_MAX && is_wanted(module, token, key, ly_buf_bytes(&id))) {
        module->keys[module->key_count++] = (TokenKey){token, key, id};
        return;
    }
    ly_buf_free(&id);
    ly_key_unref(key);
}

/* Public keys first: what has a certificate too goes by the key's label. */
static void read_objects(Pkcs11 *module, Token *token)
{
    static const struct {
        CK_OBJECT_CLASS class;
        LyKey *(*read)(LyCrypto *crypto, const Token *token, CK_OBJECT_HANDLE object);
    } kinds[] = {{CKO_PUBLIC_KEY, object_read_key}, {CKO_CERTIFICATE, object_read_certificate}};
    CK_OBJECT_HANDLE *found = ly_new_array(CK_OBJECT_HANDLE, OBJECTS_MAX);
    for (size_t i = 0; i < LY_COUNT(kinds); i++) {
        CK_OBJECT_CLASS class = kinds[i].class;
        CK_ATTRIBUTE like = {CKA_CLASS, &class, sizeof class};
        size_t count = objects_find(token, &like, 1, found, OBJECTS_MAX);
        for (size_t j = 0; j < count; j++)
            add(module, token, found[j], kinds[i].read(module->crypto, token, found[j]));
    }
    ly_free(found);
}

static void add_note(LyBuf *notes, const char *note)
{
    if (note[0] && notes->len + strlen(note) < NOTES_MAX)
        ly_buf_add_format(notes, "%s%s", notes->len ? "; " : "", note);
}

static void read_slot(Pkcs11 *module, CK_SLOT_ID slot, LyBytes pin, LyBuf *notes)
{
    LyError error;
    char note[300];
    Token *token = &module->tokens[module->token_count];
    if (!token_open(token, module->functions, slot, &error)) {
        if (error.code != LY_ERROR_UNSUPPORTED) /* empty slots are not worth a word */
            add_note(notes, error.message);
        return;
    }
    Login login = LOGIN_DONE;
    if (token->flags & CKF_LOGIN_REQUIRED)
        login = token_login(token, pin, false, note);
    if (login == LOGIN_WRONG || login == LOGIN_FAILED) { /* as OpenSSH: nothing of this token */
        add_note(notes, note);
        token_close(token);
        return;
    }
    module->token_count++;
    read_objects(module, token);
}

void pkcs11_list(Pkcs11 *module, LyBytes pin, LyBuf *reply)
{
    CK_SLOT_ID slots[TOKENS_MAX];
    CK_ULONG count = TOKENS_MAX;
    LY_AUTO(ly_buf_free) LyBuf notes = {0};
    forget(module);
    CK_RV rv = module->functions->C_GetSlotList(CK_TRUE, slots, &count);
    if (rv != CKR_OK) {
        reply_failed(reply, "the module does not list its tokens: %s", p11_kit_strerror(rv));
        return;
    }
    for (CK_ULONG i = 0; i < count; i++)
        read_slot(module, slots[i], pin, &notes);
    if (module->key_count == 0) {
        reply_failed(reply, "%s",
                     notes.len    ? ly_buf_str(&notes)
                     : count == 0 ? "there is no token"
                                  : "there is no key that SSH can use");
        return;
    }
    reply_done(reply, ly_buf_str(&notes));
    ly_put_u32(reply, (uint32_t)module->key_count);
    for (size_t i = 0; i < module->key_count; i++) {
        ly_put_string(reply, ly_key_blob(module->keys[i].key));
        ly_put_string(reply, ly_key_comment(module->keys[i].key));
    }
}

/* ---- signing ---- */

/* What CKM_RSA_PKCS signs: DigestInfo (RFC 8017 9.2). */
static bool put_digest_info(LyCrypto *crypto, LyBytes algorithm, LyBytes data, LyBuf *out)
{
    static const struct {
        const char *name;
        LyHash hash;
        LyBytes prefix;
    } forms[] = {
        {"rsa-sha2-256",
         LY_SHA256,
         {(const uint8_t *)"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\0\x04\x20", 19}},
        {"rsa-sha2-512",
         LY_SHA512,
         {(const uint8_t *)"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\0\x04\x40", 19}},
        {"ssh-rsa",
         LY_SHA1,
         {(const uint8_t *)"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\0\x04\x14", 15}},
    };
    uint8_t digest[LY_HASH_MAX];
    for (size_t i = 0; i < LY_COUNT(forms); i++) {
        if (!ly_bytes_is(algorithm, forms[i].name))
            continue;
        if (!ly_hash(crypto, forms[i].hash, &data, 1, digest))
            return false;
        ly_buf_add(out, forms[i].prefix);
        ly_buf_add(out, ly_bytes(digest, ly_hash_len(forms[i].hash)));
        return true;
    }
    return false;
}

/* What the mechanism is given. */
static bool put_message(LyCrypto *crypto, const LyKeyType *type, LyBytes algorithm, LyBytes data, LyBuf *out,
                        CK_MECHANISM_TYPE *mechanism)
{
    static const LyHash hashes[] = {LY_SHA256, LY_SHA384, LY_SHA512};
    uint8_t digest[LY_HASH_MAX];
    switch (type->pk) {
    case LY_PK_RSA:
        *mechanism = CKM_RSA_PKCS;
        return put_digest_info(crypto, algorithm, data, out);
    case LY_PK_ECDSA:
        *mechanism = CKM_ECDSA;
        if (!ly_hash(crypto, hashes[type->curve], &data, 1, digest))
            return false;
        ly_buf_add(out, ly_bytes(digest, ly_hash_len(hashes[type->curve])));
        return true;
    default:
        *mechanism = CKM_EDDSA;
        ly_buf_add(out, data);
        return true;
    }
}

static void put_signature(const LyKeyType *type, LyBytes algorithm, LyBytes raw, LyBuf *reply)
{
    LY_AUTO(ly_buf_free) LyBuf numbers = {0};
    if (type->pk == LY_PK_ECDSA) {
        ly_put_mpint(&numbers, ly_bytes_slice(raw, 0, raw.len / 2));
        ly_put_mpint(&numbers, ly_bytes_slice(raw, raw.len / 2, raw.len));
        raw = ly_buf_bytes(&numbers);
    }
    size_t mark = ly_put_string_begin(reply);
    ly_put_string(reply, algorithm);
    ly_put_string(reply, raw);
    ly_put_string_end(reply, mark);
}

typedef struct Signing {
    const TokenKey *key;
    CK_MECHANISM_TYPE mechanism;
    LyBytes message, pin;
    uint8_t raw[SIGNATURE_MAX];
    CK_ULONG raw_len;
    bool answered; /* the reply says already why there is no signature */
} Signing;

static bool log_in(Signing *signing, bool for_one, LyBuf *reply)
{
    char note[300], whose[80];
    Token *token = signing->key->token;
    Login login = token_login(token, signing->pin, for_one, note);
    if (login == LOGIN_DONE)
        return true;
    signing->answered = true;
    snprintf(whose, sizeof whose, "the token \"%s\"", token->label);
    if (login == LOGIN_FAILED)
        reply_failed(reply, "%s", note);
    else
        reply_pin(reply, note, whose);
    return false;
}

static bool is_true(const Token *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type)
{
    LY_AUTO(ly_buf_free) LyBuf value = {0};
    return object_get(token, object, type, &value) && value.len == 1 && value.data[0];
}

/* Returns what the token said; unless the reply is made already. */
static CK_RV try_to_sign(Signing *signing, LyBuf *reply)
{
    Token *token = signing->key->token;
    LyError error;
    if (token->session == CK_INVALID_HANDLE && !token_reopen(token, &error)) {
        signing->answered = true;
        reply_failed(reply, "%s", error.message);
        return CKR_OK;
    }
    if (token->flags & CKF_LOGIN_REQUIRED && !token->logged_in && !log_in(signing, false, reply))
        return CKR_OK;
    CK_OBJECT_HANDLE private_key =
        object_find_private(token, signing->key->key, ly_buf_bytes(&signing->key->id));
    if (private_key == CK_INVALID_HANDLE) {
        CK_SESSION_INFO info; /* gone with its card, or never there? */
        CK_RV rv = token->functions->C_GetSessionInfo(token->session, &info);
        return rv == CKR_OK ? CKR_KEY_HANDLE_INVALID : rv;
    }
    CK_MECHANISM mechanism = {signing->mechanism, NULL, 0};
    CK_RV rv = token->functions->C_SignInit(token->session, &mechanism, private_key);
    if (rv != CKR_OK)
        return rv;
    if (is_true(token, private_key, CKA_ALWAYS_AUTHENTICATE) && !log_in(signing, true, reply)) {
        token_close(token); /* which ends the operation that was begun */
        return CKR_OK;
    }
    signing->raw_len = sizeof signing->raw;
    return token->functions->C_Sign(token->session, (CK_BYTE *)(uintptr_t)signing->message.data,
                                    signing->message.len, signing->raw, &signing->raw_len);
}

void pkcs11_sign(Pkcs11 *module, LyBytes blob, LyBytes algorithm, LyBytes data, LyBytes pin, LyBuf *reply)
{
    Signing signing = {.pin = pin};
    for (size_t i = 0; i < module->key_count && !signing.key; i++)
        if (ly_bytes_equal(ly_key_blob(module->keys[i].key), blob))
            signing.key = &module->keys[i];
    LY_AUTO(ly_buf_free) LyBuf message = {0};
    const LyKeyType *type = signing.key ? ly_key_type(signing.key->key) : NULL;
    if (!type || !put_message(module->crypto, type, algorithm, data, &message, &signing.mechanism)) {
        reply_failed(reply, type ? "the signature algorithm is not known" : "the token has no such key");
        return;
    }
    signing.message = ly_buf_bytes(&message);
    Token *token = signing.key->token;
    CK_RV rv = try_to_sign(&signing, reply);
    if (!signing.answered && token_is_lost(rv)) { /* once more: the card may be back */
        token_close(token);
        rv = try_to_sign(&signing, reply);
    } else if (!signing.answered && rv == CKR_USER_NOT_LOGGED_IN) { /* another program logged out */
        token->logged_in = false;
        token->flags |= CKF_LOGIN_REQUIRED;
        rv = try_to_sign(&signing, reply);
    }
    if (signing.answered)
        return;
    if (rv != CKR_OK) {
        reply_failed(reply, "the token \"%s\" does not sign: %s", token->label,
                     rv == CKR_KEY_HANDLE_INVALID ? "the private key is not there" : p11_kit_strerror(rv));
        return;
    }
    if (signing.raw_len > sizeof signing.raw) {
        reply_failed(reply, "the token \"%s\" gives a malformed signature", token->label);
        return;
    }
    reply_done(reply, NULL);
    put_signature(type, algorithm, ly_bytes(signing.raw, signing.raw_len), reply);
}
