#include "sk.h"

#include <dlfcn.h>
#include <stdlib.h>

#include "base/auto.h"

/* ---- by a library ---- */

static bool find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

static SkSign *load(const char *path, LyBuf *reply)
{
    SkApiVersion *version;
    SkSign *sign;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        reply_failed(reply, "the security key library does not load: %s", dlerror());
    else if (!find(library, "sk_api_version", &version) || !find(library, "sk_sign", &sign))
        reply_failed(reply, "the file is no security key library: sk_api_version or sk_sign is not there");
    else if ((version() & SK_API_VERSION_MASK) != SK_API_VERSION)
        reply_failed(reply, "the security key library has version 0x%08x of the interface, not 0x%08x",
                     version(), SK_API_VERSION);
    else
        return sign; /* it stays loaded as long as the process lives */
    return NULL;
}

static void free_response(struct sk_sign_response *response)
{
    if (!response)
        return;
    free(response->sig_r);
    free(response->sig_s);
    free(response);
}

static void tell_error(int error, bool had_pin, LyBuf *reply)
{
    switch (error) {
    case SK_ERR_PIN_REQUIRED:
        reply_pin(reply, had_pin ? "the security key refuses the PIN" : NULL, "the security key");
        break;
    case SK_ERR_UNSUPPORTED:
        reply_failed(reply, "the security key library does not know this kind of key");
        break;
    case SK_ERR_DEVICE_NOT_FOUND:
        reply_failed(reply, "no security key is there that has this key");
        break;
    default:
        reply_failed(reply, "the security key library cannot sign (error %d)", error);
        break;
    }
}

static bool library_sign(SkSign *sign, const SkRequest *request, int algorithm, SkSignature *signature,
                         LyBuf *reply)
{
    struct sk_sign_response *response = NULL;
    LY_AUTO_FREE char *application = ly_bytes_dup_str(request->application);
    LY_AUTO(ly_buf_free) LyBuf pin = {0};
    ly_buf_add(&pin, request->pin);
    int error =
        sign((uint32_t)algorithm, request->data.data, request->data.len, application, request->handle.data,
             request->handle.len, request->flags, pin.len ? ly_buf_str(&pin) : NULL, NULL, &response);
    if (error == 0 && response) {
        ly_buf_add(&signature->r, ly_bytes(response->sig_r, response->sig_r_len));
        ly_buf_add(&signature->s, ly_bytes(response->sig_s, response->sig_s_len));
        signature->flags = response->flags;
        signature->counter = response->counter;
    } else {
        tell_error(error ? error : SK_ERR_GENERAL, pin.len > 0, reply);
    }
    free_response(response);
    return reply->len == 0;
}

/* ---- either way ---- */

static void put_signature(const SkRequest *request, int algorithm, const SkSignature *signature, LyBuf *reply)
{
    reply_done(reply, NULL);
    size_t whole = ly_put_string_begin(reply);
    ly_put_string(reply, request->type);
    size_t mark = ly_put_string_begin(reply);
    if (algorithm == SK_ECDSA) {
        ly_put_mpint(reply, ly_buf_bytes(&signature->r));
        ly_put_mpint(reply, ly_buf_bytes(&signature->s));
    } else {
        ly_buf_add(reply, ly_buf_bytes(&signature->r));
    }
    ly_put_string_end(reply, mark);
    ly_put_u8(reply, signature->flags);
    ly_put_u32(reply, signature->counter);
    ly_put_string_end(reply, whole);
}

void sk_sign_with(LyCrypto *crypto, const char *path, const SkRequest *request, LyBuf *reply)
{
    static const struct {
        const char *type;
        int algorithm;
    } kinds[] = {{"sk-ecdsa-sha2-nistp256@openssh.com", SK_ECDSA},
                 {"sk-ssh-ed25519@openssh.com", SK_ED25519}};
    SkSignature signature = {0};
    int algorithm = -1;
    for (size_t i = 0; i < LY_COUNT(kinds); i++)
        if (ly_bytes_is(request->type, kinds[i].type))
            algorithm = kinds[i].algorithm;
    if (algorithm < 0 || ly_bytes_has_nul(request->application)) {
        reply_failed(reply, "security keys of the type %s are not known", LY_PRINTABLE(request->type));
        return;
    }
    bool good;
    if (strcmp(path, PROVIDER_INTERNAL) == 0) {
        good = fido_sign(crypto, request, algorithm, &signature, reply);
    } else {
        SkSign *sign = load(path, reply);
        good = sign && library_sign(sign, request, algorithm, &signature, reply);
    }
    if (good)
        put_signature(request, algorithm, &signature, reply);
    ly_buf_free(&signature.r);
    ly_buf_free(&signature.s);
}
