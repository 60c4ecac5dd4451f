/* The key inside an X.509 certificate (RFC 5280 4.1), which is looked at no further. */
#include "key/der.h"
#include "key/read-private.h"

LyKey *ly_key_read_x509(LyCrypto *crypto, LyBytes der, LyError *error)
{
    LyReader outer = ly_reader(der);
    LyReader certificate = ly_der_get_sequence(&outer);
    LyReader body = ly_der_get_sequence(&certificate);
    if (ly_der_next_is(&body, LY_DER_CONTEXT_0))
        ly_der_get(&body, LY_DER_CONTEXT_0); /* version */
    ly_der_get(&body, LY_DER_INTEGER);       /* serial number: may be negative, and is read by nobody */
    for (int skip = 4; skip > 0; skip--)     /* signature algorithm, issuer, validity, subject */
        ly_der_get(&body, LY_DER_SEQUENCE);
    const uint8_t *start = body.data;
    ly_der_get(&body, LY_DER_SEQUENCE);
    if (outer.failed || certificate.failed || body.failed)
        return ly_key_malformed(der, &certificate, &body, "X.509", error);
    return ly_key_read_spki(crypto, ly_bytes(start, (size_t)(body.data - start)), error);
}
