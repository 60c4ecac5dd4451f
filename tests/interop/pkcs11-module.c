/* A PKCS#11 module that misbehaves when it is to sign, by the name of its file: hang.so, crash.so, exit.so,
 * noise.so (prints a lot, and then a wrong signature), gone.so (the card was taken out); slow-start.so hangs
 * as soon as it is started. One token, one P-256 key with a public point from FIPS 186 (G itself), nothing to
 * log in to. */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PUBLIC_OBJECT = 1, PRIVATE_OBJECT = 2 };

static const CK_BYTE parameters[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const CK_BYTE point[] = {
    0x04, 0x41, 0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4,
    0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2,
    0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16,
    0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};

static CK_OBJECT_HANDLE found; /* 0: none */

static bool named(const char *name)
{
    Dl_info info;
    const char *slash = dladdr((const void *)parameters, &info) ? strrchr(info.dli_fname, '/') : NULL;
    return slash && strcmp(slash + 1, name) == 0;
}

static CK_RV initialize(void *arguments)
{
    printf("a module may print\n");
    fflush(stdout);
    if (named("slow-start.so"))
        pause();
    return CKR_OK;
}

static CK_RV nothing(void *reserved)
{
    return CKR_OK;
}

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count)
{
    if (slots)
        slots[0] = 7;
    *count = 1;
    return CKR_OK;
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    memset(info, ' ', sizeof *info);
    memcpy(info->label, "bad", 3);
    info->flags = CKF_TOKEN_INITIALIZED;
    return CKR_OK;
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                          CK_SESSION_HANDLE *session)
{
    *session = 3;
    return CKR_OK;
}

static CK_RV close_session(CK_SESSION_HANDLE session)
{
    return CKR_OK;
}

static CK_RV find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *like, CK_ULONG count)
{
    found = 0;
    for (CK_ULONG i = 0; i < count; i++) {
        if (like[i].type != CKA_CLASS)
            continue;
        CK_OBJECT_CLASS class;
        memcpy(&class, like[i].pValue, sizeof class);
        found = class == CKO_PUBLIC_KEY ? PUBLIC_OBJECT : class == CKO_PRIVATE_KEY ? PRIVATE_OBJECT : 0;
    }
    return CKR_OK;
}

static CK_RV find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG most, CK_ULONG *count)
{
    *count = found != 0;
    if (found)
        objects[0] = found;
    found = 0;
    return CKR_OK;
}

static CK_RV get(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *like, CK_ULONG count)
{
    static const CK_KEY_TYPE ec = CKK_EC;
    const struct {
        CK_ATTRIBUTE_TYPE type;
        const void *data;
        size_t len;
    } values[] = {{CKA_KEY_TYPE, &ec, sizeof ec},
                  {CKA_EC_PARAMS, parameters, sizeof parameters},
                  {CKA_EC_POINT, point, sizeof point},
                  {CKA_LABEL, "a bad key", 9},
                  {CKA_ID, "\1", 1}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        if (values[i].type != like->type)
            continue;
        if (like->pValue)
            memcpy(like->pValue, values[i].data, values[i].len);
        like->ulValueLen = values[i].len;
        return CKR_OK;
    }
    like->ulValueLen = CK_UNAVAILABLE_INFORMATION;
    return CKR_ATTRIBUTE_TYPE_INVALID;
}

static CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return CKR_OK;
}

static CK_RV sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature,
                  CK_ULONG *len)
{
    if (named("hang.so"))
        pause();
    if (named("crash.so"))
        abort();
    if (named("exit.so"))
        _exit(3);
    if (named("gone.so"))
        return CKR_DEVICE_REMOVED;
    for (int i = 0; i < 10000; i++)
        puts("a module that talks");
    memset(signature, 0x33, 64);
    *len = 64;
    return CKR_OK;
}

static CK_FUNCTION_LIST functions = {
    .version = {2, 40},
    .C_Initialize = initialize,
    .C_Finalize = nothing,
    .C_GetSlotList = get_slot_list,
    .C_GetTokenInfo = get_token_info,
    .C_OpenSession = open_session,
    .C_CloseSession = close_session,
    .C_FindObjectsInit = find_init,
    .C_FindObjects = find,
    .C_FindObjectsFinal = close_session,
    .C_GetAttributeValue = get,
    .C_SignInit = sign_init,
    .C_Sign = sign,
};

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    *list = &functions;
    return CKR_OK;
}
