/* Signatures by FIDO security keys, through libfido2. */
#include <fido.h>

#include "base/auto.h"
#include "crypto/hash.h"
#include "key/der.h"
#include "sk.h"

enum { DEVICES_MAX = 64 };

typedef struct Fido {
    const SkRequest *request;
    const char *application, *pin; /* pin NULL: none */
    uint8_t digest[LY_HASH_MAX];
} Fido;

static fido_assert_t *assertion_new(const Fido *fido, bool presence, bool verification)
{
    fido_assert_t *assertion = fido_assert_new();
    const SkRequest *request = fido->request;
    if (assertion && fido_assert_set_clientdata_hash(assertion, fido->digest, 32) == FIDO_OK &&
        fido_assert_set_rp(assertion, fido->application) == FIDO_OK &&
        fido_assert_allow_cred(assertion, request->handle.data, request->handle.len) == FIDO_OK &&
        fido_assert_set_up(assertion, presence ? FIDO_OPT_TRUE : FIDO_OPT_FALSE) == FIDO_OK &&
        (!verification || fido_assert_set_uv(assertion, FIDO_OPT_TRUE) == FIDO_OK))
        return assertion;
    fido_assert_free(&assertion);
    return NULL;
}

/* Asked without a touch, a device tells whether the key is its own; one of U2F by asking for the touch. */
static bool has_key(const Fido *fido, fido_dev_t *device)
{
    fido_assert_t *assertion = assertion_new(fido, false, false);
    int error = assertion ? fido_dev_get_assert(device, assertion, NULL) : FIDO_ERR_INTERNAL;
    fido_assert_free(&assertion);
    return error == FIDO_OK || error == FIDO_ERR_USER_PRESENCE_REQUIRED || error == FIDO_ERR_UP_REQUIRED ||
           error == FIDO_ERR_PIN_REQUIRED;
}

static fido_dev_t *device_open(const char *path)
{
    fido_dev_t *device = fido_dev_new();
    if (device && fido_dev_open(device, path) != FIDO_OK)
        fido_dev_free(&device);
    return device;
}

static void device_close(fido_dev_t *device)
{
    fido_dev_close(device);
    fido_dev_free(&device);
}

/* The device that has the key; NULL: none (the reply says so). One that is alone is not asked: it says so
 * itself, and older ones count each question as a failure. */
static fido_dev_t *find_device(const Fido *fido, LyBuf *reply)
{
    size_t count = 0;
    fido_dev_t *found = NULL;
    fido_dev_info_t *list = fido_dev_info_new(DEVICES_MAX);
    if (list && fido_dev_info_manifest(list, DEVICES_MAX, &count) != FIDO_OK)
        count = 0;
    for (size_t i = 0; i < count && !found; i++) {
        fido_dev_t *device = device_open(fido_dev_info_path(fido_dev_info_ptr(list, i)));
        if (device && (count == 1 || has_key(fido, device)))
            found = device;
        else if (device)
            device_close(device);
    }
    fido_dev_info_free(&list, DEVICES_MAX);
    if (!found)
        reply_failed(reply, count ? "none of the security keys that are there has this key, or may be opened"
                                  : "no security key is there: plug it in, and try again");
    return found;
}

static void tell_error(int error, bool had_pin, LyBuf *reply)
{
    static const char whose[] = "the security key";
    switch (error) {
    case FIDO_ERR_PIN_REQUIRED:
    case FIDO_ERR_UV_BLOCKED: /* the fingerprint failed too often: the PIN will do */
        reply_pin(reply, NULL, whose);
        break;
    case FIDO_ERR_PIN_INVALID:
        reply_pin(reply, had_pin ? "the PIN of the security key is wrong" : NULL, whose);
        break;
    case FIDO_ERR_PIN_AUTH_BLOCKED:
        reply_failed(reply,
                     "the security key wants to be unplugged and plugged in again: too many wrong PINs");
        break;
    case FIDO_ERR_PIN_BLOCKED:
        reply_failed(reply, "the security key is blocked: too many wrong PINs");
        break;
    case FIDO_ERR_PIN_NOT_SET:
        reply_failed(reply, "the key wants a PIN, and the security key has none");
        break;
    case FIDO_ERR_NO_CREDENTIALS:
        reply_failed(reply, "the security key that is there has not this key");
        break;
    case FIDO_ERR_USER_ACTION_TIMEOUT:
    case FIDO_ERR_ACTION_TIMEOUT:
    case FIDO_ERR_OPERATION_DENIED:
        reply_failed(reply, "the security key was not touched");
        break;
    default:
        reply_failed(reply, "the security key does not sign: %s", fido_strerr(error));
        break;
    }
}

static bool read_assertion(const fido_assert_t *assertion, int algorithm, SkSignature *signature)
{
    LyBytes bytes = ly_bytes(fido_assert_sig_ptr(assertion, 0), fido_assert_sig_len(assertion, 0));
    signature->flags = fido_assert_flags(assertion, 0);
    signature->counter = fido_assert_sigcount(assertion, 0);
    if (algorithm == SK_ED25519) {
        ly_buf_add(&signature->r, bytes);
        return bytes.len == 64;
    }
    LyReader outer = ly_reader(bytes), inner = ly_der_get_sequence(&outer);
    ly_buf_add(&signature->r, ly_der_get_unsigned(&inner));
    ly_buf_add(&signature->s, ly_der_get_unsigned(&inner));
    return ly_reader_done(&outer) && ly_reader_done(&inner);
}

static bool ask_device(const Fido *fido, fido_dev_t *device, int algorithm, SkSignature *signature,
                       LyBuf *reply)
{
    uint8_t flags = fido->request->flags;
    bool verify = flags & SK_USER_VERIFICATION && !fido->pin;
    /* Without a PIN, only a device with a fingerprint reader of its own can tell who it is. */
    if (verify && !fido_dev_has_uv(device)) {
        tell_error(fido_dev_has_pin(device) ? FIDO_ERR_PIN_REQUIRED : FIDO_ERR_PIN_NOT_SET, false, reply);
        return false;
    }
    fido_assert_t *assertion = assertion_new(fido, flags & SK_USER_PRESENCE, verify);
    int error = assertion ? fido_dev_get_assert(device, assertion, fido->pin) : FIDO_ERR_INTERNAL;
    if (error != FIDO_OK)
        tell_error(error, fido->pin != NULL, reply);
    else if (fido_assert_count(assertion) < 1 || !read_assertion(assertion, algorithm, signature))
        reply_failed(reply, "the security key gives a malformed signature");
    fido_assert_free(&assertion);
    return reply->len == 0;
}

bool fido_sign(LyCrypto *crypto, const SkRequest *request, int algorithm, SkSignature *signature,
               LyBuf *reply)
{
    LY_AUTO_FREE char *application = ly_bytes_dup_str(request->application);
    LY_AUTO(ly_buf_free) LyBuf pin = {0};
    ly_buf_add(&pin, request->pin);
    Fido fido = {.request = request, .application = application, .pin = pin.len ? ly_buf_str(&pin) : NULL};
    if (!ly_hash(crypto, LY_SHA256, &request->data, 1, fido.digest)) {
        reply_failed(reply, "SHA-256 is not there");
        return false;
    }
    fido_init(0);
    fido_dev_t *device = find_device(&fido, reply);
    if (!device)
        return false;
    bool good = ask_device(&fido, device, algorithm, signature, reply);
    device_close(device);
    return good;
}
