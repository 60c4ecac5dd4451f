/* PKCS#11 objects, and the SSH keys that they are. */
#include "base/auto.h"
#include "key/der.h"
#include "key/oids.h"
#include "key/read.h"
#include "tokens.h"

bool object_get(const Token *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, LyBuf *out)
{
    CK_ATTRIBUTE attribute = {type, NULL, 0};
    CK_RV rv = token->functions->C_GetAttributeValue(token->session, object, &attribute, 1);
    if (rv != CKR_OK || attribute.ulValueLen > ATTRIBUTE_MAX)
        return false;
    attribute.pValue = ly_buf_room(out, attribute.ulValueLen + 1);
    CK_ULONG room = attribute.ulValueLen;
    rv = token->functions->C_GetAttributeValue(token->session, object, &attribute, 1);
    if (rv != CKR_OK || attribute.ulValueLen > room)
        return false;
    ly_buf_added(out, attribute.ulValueLen);
    return true;
}

bool object_get_number(const Token *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, CK_ULONG *number)
{
    CK_ULONG value = 0;
    CK_ATTRIBUTE attribute = {type, &value, sizeof value};
    CK_RV rv = token->functions->C_GetAttributeValue(token->session, object, &attribute, 1);
    if (rv != CKR_OK || attribute.ulValueLen != sizeof value)
        return false;
    *number = value;
    return true;
}

size_t objects_find(const Token *token, CK_ATTRIBUTE *like, CK_ULONG count, CK_OBJECT_HANDLE *found,
                    size_t most)
{
    size_t all = 0;
    if (token->functions->C_FindObjectsInit(token->session, like, count) != CKR_OK)
        return 0;
    for (CK_ULONG some = 1; some && all < most; all += some) {
        some = 0;
        if (token->functions->C_FindObjects(token->session, found + all, most - all, &some) != CKR_OK ||
            some > most - all)
            break;
    }
    token->functions->C_FindObjectsFinal(token->session);
    return all;
}

/* ---- from a key to its private half ---- */

static CK_KEY_TYPE type_of(const LyKey *key)
{
    LyPkType pk = ly_key_type(key)->pk;
    return pk == LY_PK_RSA ? CKK_RSA : pk == LY_PK_ECDSA ? CKK_EC : CKK_EC_EDWARDS;
}

CK_OBJECT_HANDLE object_find_private(const Token *token, const LyKey *key, LyBytes id)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_KEY_TYPE type = type_of(key);
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE like[] = {{CKA_CLASS, &class, sizeof class},
                           {CKA_ID, (void *)(uintptr_t)id.data, id.len},
                           {CKA_KEY_TYPE, &type, sizeof type},
                           {CKA_SIGN, &yes, sizeof yes}};
    CK_OBJECT_HANDLE found;
    /* Some modules do not say that the key signs. */
    for (CK_ULONG count = 4; count >= 3; count--)
        if (objects_find(token, like, count, &found, 1))
            return found;
    return CK_INVALID_HANDLE;
}

/* ---- from objects to keys ---- */

static bool put_rsa(const Token *token, CK_OBJECT_HANDLE object, LyBuf *blob)
{
    LY_AUTO(ly_buf_free) LyBuf n = {0};
    LY_AUTO(ly_buf_free) LyBuf e = {0};
    if (!object_get(token, object, CKA_MODULUS, &n) || !object_get(token, object, CKA_PUBLIC_EXPONENT, &e))
        return false;
    ly_put_cstring(blob, "ssh-rsa");
    ly_put_mpint(blob, ly_buf_bytes(&e));
    ly_put_mpint(blob, ly_buf_bytes(&n));
    return true;
}

/* CKA_EC_POINT is an OCTET STRING, which some modules leave out. */
static LyBytes unwrap_point(LyBytes point)
{
    LyReader reader = ly_reader(point);
    LyBytes inner = ly_der_get(&reader, LY_DER_OCTET_STRING);
    return ly_reader_done(&reader) ? inner : point;
}

static bool put_ec(const Token *token, CK_OBJECT_HANDLE object, LyBuf *blob)
{
    static const char *const names[] = {"nistp256", "nistp384", "nistp521"};
    LY_AUTO(ly_buf_free) LyBuf parameters = {0};
    LY_AUTO(ly_buf_free) LyBuf point = {0};
    if (!object_get(token, object, CKA_EC_PARAMS, &parameters) ||
        !object_get(token, object, CKA_EC_POINT, &point))
        return false;
    LyReader reader = ly_reader(ly_buf_bytes(&parameters));
    LyBytes oid = ly_der_get(&reader, LY_DER_OID);
    int curve = reader.failed ? -1 : ly_curve_of_oid(oid, NULL);
    if (curve < 0)
        return false;
    ly_put_cstring(
        blob, ((const char *[]){"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"})[curve]);
    ly_put_cstring(blob, names[curve]);
    ly_put_string(blob, unwrap_point(ly_buf_bytes(&point)));
    return true;
}

/* Ed25519 is told by the length of its point: Ed448's has 57 bytes, and the parameters come in three forms.
 */
static bool put_edwards(const Token *token, CK_OBJECT_HANDLE object, LyBuf *blob)
{
    LY_AUTO(ly_buf_free) LyBuf point = {0};
    if (!object_get(token, object, CKA_EC_POINT, &point))
        return false;
    LyBytes bytes = point.len == 32 ? ly_buf_bytes(&point) : unwrap_point(ly_buf_bytes(&point));
    if (bytes.len != 32)
        return false;
    ly_put_cstring(blob, "ssh-ed25519");
    ly_put_string(blob, bytes);
    return true;
}

static LyKey *commented(LyKey *key, const Token *token, CK_OBJECT_HANDLE object)
{
    LY_AUTO(ly_buf_free) LyBuf label = {0};
    if (!key || !object_get(token, object, CKA_LABEL, &label) || label.len == 0)
        return key;
    LyKey *result = ly_key_new_commented(key, ly_buf_bytes(&label));
    ly_key_unref(key);
    return result;
}

LyKey *object_read_key(LyCrypto *crypto, const Token *token, CK_OBJECT_HANDLE object)
{
    static const struct {
        CK_KEY_TYPE type;
        bool (*put)(const Token *token, CK_OBJECT_HANDLE object, LyBuf *blob);
    } kinds[] = {{CKK_RSA, put_rsa}, {CKK_EC, put_ec}, {CKK_EC_EDWARDS, put_edwards}};
    LY_AUTO(ly_buf_free) LyBuf blob = {0};
    CK_ULONG type;
    if (!object_get_number(token, object, CKA_KEY_TYPE, &type))
        return NULL;
    for (size_t i = 0; i < LY_COUNT(kinds); i++)
        if (kinds[i].type == type && kinds[i].put(token, object, &blob))
            return commented(ly_key_new_public(crypto, ly_buf_bytes(&blob), NULL), token, object);
    return NULL;
}

LyKey *object_read_certificate(LyCrypto *crypto, const Token *token, CK_OBJECT_HANDLE object)
{
    LY_AUTO(ly_buf_free) LyBuf value = {0};
    CK_ULONG type;
    if (!object_get_number(token, object, CKA_CERTIFICATE_TYPE, &type) || type != CKC_X_509 ||
        !object_get(token, object, CKA_VALUE, &value))
        return NULL;
    return commented(ly_key_read_x509(crypto, ly_buf_bytes(&value), NULL), token, object);
}
