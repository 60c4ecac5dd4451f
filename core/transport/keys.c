/* The exchange hash and the keys that come of it. */
#include "transport/transport-private.h"

#include "base/memory.h"

/* A public value as the hash wants it: e and f of the DH methods are mpints, hashed as such whatever zeros
 * came in front. */
static void put_value(LyBuf *out, const LyKexInfo *info, LyBytes value)
{
    if (info->kind == LY_KEX_DH || info->kind == LY_KEX_DH_GROUP_EXCHANGE)
        ly_put_mpint(out, value);
    else
        ly_put_string(out, value);
}

bool ly_kex_hash(LyTransport *t, LyBytes host_key_blob, LyBytes server_value, uint8_t *hash)
{
    LyExchange *kex = &t->kex;
    const LyKexInfo *info = kex->chosen.kex;
    bool client = t->role == LY_CLIENT;
    LyBuf text = {0};
    ly_put_string(&text, ly_buf_bytes(client ? &t->own_ident : &t->peer_ident));
    ly_put_string(&text, ly_buf_bytes(client ? &t->peer_ident : &t->own_ident));
    ly_put_string(&text, ly_buf_bytes(client ? &kex->own_init : &kex->peer_init));
    ly_put_string(&text, ly_buf_bytes(client ? &kex->peer_init : &kex->own_init));
    ly_put_string(&text, host_key_blob);
    if (info->kind == LY_KEX_DH_GROUP_EXCHANGE) {
        ly_put_u32(&text, kex->gex_min);
        ly_put_u32(&text, kex->gex_want);
        ly_put_u32(&text, kex->gex_max);
        ly_put_mpint(&text, ly_buf_bytes(&kex->gex_p));
        ly_put_mpint(&text, ly_buf_bytes(&kex->gex_g));
    }
    put_value(&text, info, ly_buf_bytes(&kex->client_value));
    put_value(&text, info, server_value);
    ly_buf_add(&text, ly_buf_bytes(&kex->secret)); /* K, framed already */
    LyBytes part = ly_buf_bytes(&text);
    bool ok = (!text.failed && ly_hash(t->crypto, info->hash, &part, 1, hash)) ||
              ly_transport_fail(t, LY_ERROR_CRYPTO, SSH_DISCONNECT_KEY_EXCHANGE_FAILED,
                                "the exchange hash cannot be computed");
    ly_buf_free(&text);
    return ok;
}

typedef struct Secrets {
    uint8_t bytes[LY_HASH_MAX *
                  4]; /* grows by whole digests: the longest key is 64 bytes, the shortest digest 20 */
} Secrets;

/* K1 = HASH(K || H || letter || session_id), Kn = HASH(K || H || K1 || ... || Kn-1). */
static bool derive(LyTransport *t, LyBytes hash, char letter, size_t len, Secrets *out, LyBytes *key)
{
    LyHash method = t->kex.chosen.kex->hash;
    size_t made = 0, step = ly_hash_len(method);
    *key = ly_bytes(out->bytes, len);
    while (made < len) {
        LyBytes parts[4] = {ly_buf_bytes(&t->kex.secret), hash, ly_bytes(out->bytes, made)};
        size_t count = 3;
        if (made == 0) {
            parts[2] = ly_bytes(&letter, 1);
            parts[count++] = ly_buf_bytes(&t->session_id);
        }
        if (made + step > sizeof out->bytes || !ly_hash(t->crypto, method, parts, count, out->bytes + made))
            return false;
        made += step;
    }
    return true;
}

static bool derive_stream(LyTransport *t, LyBytes hash, int direction, bool encrypt, LyStream *stream)
{
    const LyChosen *chosen = &t->kex.chosen;
    const LyCipherInfo *cipher = chosen->cipher[direction];
    const LyMacInfo *mac = chosen->mac[direction];
    Secrets iv_bytes, key_bytes, mac_bytes;
    LyBytes iv, key, mac_key;
    LyError error = {0};
    bool ok = derive(t, hash, (char)('A' + direction), cipher->iv_len, &iv_bytes, &iv) &&
              derive(t, hash, (char)('C' + direction), cipher->key_len, &key_bytes, &key) &&
              derive(t, hash, (char)('E' + direction), mac ? mac->key_len : 0, &mac_bytes, &mac_key);
    if (ok) {
        ly_stream_clear(stream);
        stream->protection = ly_protection_new(t->crypto, cipher, mac, key, iv, mac_key, encrypt, &error);
    } else {
        ly_error_set(&error, LY_ERROR_CRYPTO, "keys cannot be derived");
    }
    ly_cleanse(&iv_bytes, sizeof iv_bytes);
    ly_cleanse(&key_bytes, sizeof key_bytes);
    ly_cleanse(&mac_bytes, sizeof mac_bytes);
    if (!ok || !stream->protection)
        return ly_transport_fail_with(t, &error, SSH_DISCONNECT_KEY_EXCHANGE_FAILED);
    stream->compression = chosen->compression[direction];
    stream->bytes_max = t->rekey_bytes;
    if (cipher->rekey_blocks && cipher->rekey_blocks < stream->bytes_max / cipher->block_len)
        stream->bytes_max = cipher->rekey_blocks * cipher->block_len;
    return true;
}

bool ly_kex_derive(LyTransport *t, LyBytes hash)
{
    bool client = t->role == LY_CLIENT;
    if (t->session_id.len == 0)
        ly_buf_add(&t->session_id, hash);
    bool ok = derive_stream(t, hash, LY_TO_SERVER, client, client ? &t->kex.next_out : &t->kex.next_in) &&
              derive_stream(t, hash, LY_TO_CLIENT, !client, client ? &t->kex.next_in : &t->kex.next_out);
    ly_buf_free(&t->kex.secret);
    return ok;
}
