/* A security key library (OpenSSH's sk-api.h) in front of another, sk-dummy.so: it wants the PIN 4321 for
 * keys that verify their user, and by the name of its file waits for a touch that does not come (touch.so) or
 * is of another version (old.so). */
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include "provider/sk.h"

#define DUMMY "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so"
#define EXPORT __attribute__((visibility("default")))

EXPORT uint32_t sk_api_version(void);
EXPORT int sk_sign(uint32_t algorithm, const uint8_t *data, size_t data_len, const char *application,
                   const uint8_t *key_handle, size_t key_handle_len, uint8_t flags, const char *pin,
                   struct sk_option **options, struct sk_sign_response **response);

static bool named(const char *name)
{
    Dl_info info;
    void *self = NULL;
    SkApiVersion *function = sk_api_version;
    memcpy(&self, &function, sizeof self);
    const char *slash = dladdr(self, &info) ? strrchr(info.dli_fname, '/') : NULL;
    return slash && strcmp(slash + 1, name) == 0;
}

uint32_t sk_api_version(void)
{
    return named("old.so") ? 0x00040000 : SK_API_VERSION;
}

int sk_sign(uint32_t algorithm, const uint8_t *data, size_t data_len, const char *application,
            const uint8_t *key_handle, size_t key_handle_len, uint8_t flags, const char *pin,
            struct sk_option **options, struct sk_sign_response **response)
{
    SkSign *sign;
    void *dummy = dlopen(DUMMY, RTLD_NOW);
    void *found = dummy ? dlsym(dummy, "sk_sign") : NULL;
    memcpy(&sign, &found, sizeof found);
    if (!found)
        return SK_ERR_DEVICE_NOT_FOUND;
    if (named("touch.so"))
        pause();
    if (flags & SK_USER_VERIFICATION && (!pin || strcmp(pin, "4321") != 0))
        return SK_ERR_PIN_REQUIRED;
    return sign(algorithm, data, data_len, application, key_handle, key_handle_len, flags, pin, options,
                response);
}
