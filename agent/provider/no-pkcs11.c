/* In place of pkcs11.c where p11-kit is not there. */
#include "module.h"

Pkcs11 *pkcs11_open(LyCrypto *crypto, const char *path, LyError *error)
{
    ly_error_set(error, LY_ERROR_UNSUPPORTED, "this build has no PKCS#11 (p11-kit was not there)");
    return NULL;
}

void pkcs11_close(Pkcs11 *module)
{
}

void pkcs11_list(Pkcs11 *module, LyBytes pin, LyBuf *reply)
{
}

void pkcs11_sign(Pkcs11 *module, LyBytes blob, LyBytes algorithm, LyBytes data, LyBytes pin, LyBuf *reply)
{
}
