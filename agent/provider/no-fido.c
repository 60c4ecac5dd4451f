/* In place of fido.c where libfido2 is not there. */
#include "sk.h"

bool fido_sign(LyCrypto *crypto, const SkRequest *request, int algorithm, SkSignature *signature,
               LyBuf *reply)
{
    reply_failed(reply, "this build has no libfido2: give the key a security key library (ssh-add -S)");
    return false;
}
