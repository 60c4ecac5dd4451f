/* RFC 4253 7.1: KEXINIT, and what two of them agree on. */
#include "transport/transport-private.h"

/* The name-lists of a KEXINIT, in wire order. */
enum {
    LIST_KEX,
    LIST_HOST_KEY,
    LIST_CIPHER,
    LIST_MAC = LIST_CIPHER + 2,
    LIST_COMPRESSION = LIST_MAC + 2,
    LIST_LANGUAGE = LIST_COMPRESSION + 2,
    LIST_COUNT = LIST_LANGUAGE + 2
};

typedef struct KexInit {
    LyBytes list[LIST_COUNT];
    bool first_kex_packet_follows;
} KexInit;

/* Names in the list of key exchange methods that are no methods; said in the first KEXINIT only. */
static const char *const own_marks[] = {
    [LY_CLIENT] = ",ext-info-c,kex-strict-c-v00@openssh.com",
    [LY_SERVER] = ",ext-info-s,kex-strict-s-v00@openssh.com",
};

static LyBytes own_list(const LyTransport *t, LyAlgorithmKind kind)
{
    return ly_bytes_str(t->algorithms.list[kind]);
}

void ly_kexinit_put(LyTransport *t, LyBuf *out)
{
    static const LyAlgorithmKind kinds[] = {
        LY_ALGORITHMS_HOST_KEY, LY_ALGORITHMS_CIPHER,      LY_ALGORITHMS_CIPHER,     LY_ALGORITHMS_MAC,
        LY_ALGORITHMS_MAC,      LY_ALGORITHMS_COMPRESSION, LY_ALGORITHMS_COMPRESSION};
    uint8_t cookie[16];
    ly_transport_random(t, cookie, sizeof cookie);
    ly_put_u8(out, SSH_MSG_KEXINIT);
    ly_buf_add(out, ly_bytes(cookie, sizeof cookie));
    size_t mark = ly_put_string_begin(out);
    ly_buf_add(out, own_list(t, LY_ALGORITHMS_KEX));
    if (!t->established)
        ly_buf_add_str(out, own_marks[t->role]);
    ly_put_string_end(out, mark);
    for (size_t i = 0; i < LY_COUNT(kinds); i++)
        ly_put_string(out, own_list(t, kinds[i]));
    ly_put_cstring(out, ""); /* languages */
    ly_put_cstring(out, "");
    ly_put_bool(out, false); /* first_kex_packet_follows: we do not guess */
    ly_put_u32(out, 0);
}

static bool get(LyBytes payload, KexInit *init)
{
    LyReader reader = ly_reader(ly_bytes_slice(payload, 1, payload.len));
    ly_get_bytes(&reader, 16);
    bool valid = true;
    for (int i = 0; i < LIST_COUNT; i++) {
        init->list[i] = ly_get_string(&reader);
        /* libssh 0.10 ends its list of ciphers with a comma. */
        if (init->list[i].len > 1 && init->list[i].data[init->list[i].len - 1] == ',')
            init->list[i].len--;
        valid = valid && ly_names_valid(init->list[i]);
    }
    init->first_kex_packet_follows = ly_get_bool(&reader);
    return ly_get_u32(&reader) == 0 && ly_reader_done(&reader) && valid;
}

/* The client's first name that the server knows; `ours` is our own list without the marks, so that a mark is
 * never chosen. */
static bool agree(LyTransport *t, const char *what, const char *keyword, LyBytes ours, LyBytes theirs,
                  LyBytes *name)
{
    LyBytes client = t->role == LY_CLIENT ? ours : theirs, server = t->role == LY_CLIENT ? theirs : ours;
    if (ly_names_first_common(client, server, name))
        return true;
    const char *peer = ly_transport_peer_name(t);
    return ly_transport_fail(t, LY_ERROR_UNSUPPORTED, SSH_DISCONNECT_KEY_EXCHANGE_FAILED,
                             "no common %s: the %s offers %s and here is %s; allow one with %s", what, peer,
                             LY_PRINTABLE(theirs), LY_PRINTABLE(ours), keyword);
}

static bool agree_direction(LyTransport *t, const KexInit *peer, int direction, LyChosen *chosen)
{
    LyNegotiated *names = &chosen->names;
    LyBytes name;
    if (!agree(t, "cipher", "Ciphers", own_list(t, LY_ALGORITHMS_CIPHER), peer->list[LIST_CIPHER + direction],
               &name))
        return false;
    chosen->cipher[direction] = ly_cipher_find(name);
    names->cipher[direction] = ly_bytes_str(chosen->cipher[direction]->name);
    if (chosen->cipher[direction]->tag_len == 0) {
        if (!agree(t, "MAC", "MACs", own_list(t, LY_ALGORITHMS_MAC), peer->list[LIST_MAC + direction], &name))
            return false;
        chosen->mac[direction] = ly_mac_find(name);
        names->mac[direction] = ly_bytes_str(chosen->mac[direction]->name);
    }
    if (!agree(t, "compression", "Compression", own_list(t, LY_ALGORITHMS_COMPRESSION),
               peer->list[LIST_COMPRESSION + direction], &name))
        return false;
    static const char *const compressions[] = {[LY_COMPRESSION_NONE] = "none",
                                               [LY_COMPRESSION_ZLIB] = "zlib",
                                               [LY_COMPRESSION_ZLIB_DELAYED] = "zlib@openssh.com"};
    ly_compression_find(name, &chosen->compression[direction]);
    names->compression[direction] = ly_bytes_str(compressions[chosen->compression[direction]]);
    return true;
}

static LyBytes first_name(LyBytes list)
{
    LyBytes name = {0};
    ly_names_next(&list, &name);
    return name;
}

/* A guess is right when both sides' first key exchange method and first host key algorithm are the same. */
static bool guessed_right(const LyTransport *t, const KexInit *peer)
{
    return ly_bytes_equal(first_name(own_list(t, LY_ALGORITHMS_KEX)), first_name(peer->list[LIST_KEX])) &&
           ly_bytes_equal(first_name(own_list(t, LY_ALGORITHMS_HOST_KEY)),
                          first_name(peer->list[LIST_HOST_KEY]));
}

/* What the marks of the first KEXINIT say; `seq` is its own. */
static bool read_marks(LyTransport *t, const KexInit *peer, uint32_t seq)
{
    bool client = t->role == LY_CLIENT;
    t->strict = ly_names_contain(peer->list[LIST_KEX], ly_bytes_str(client ? "kex-strict-s-v00@openssh.com"
                                                                           : "kex-strict-c-v00@openssh.com"));
    t->peer_wants_ext_info =
        ly_names_contain(peer->list[LIST_KEX], ly_bytes_str(client ? "ext-info-s" : "ext-info-c"));
    if (t->strict && seq != 0)
        return ly_transport_fail(t, LY_ERROR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR,
                                 "KEXINIT was not the %s's first packet, which strict key exchange forbids",
                                 ly_transport_peer_name(t));
    if (!t->strict && t->require_strict_kex)
        return ly_transport_fail(t, LY_ERROR_UNSUPPORTED, SSH_DISCONNECT_KEY_EXCHANGE_FAILED,
                                 "the %s does not know strict key exchange, which is required here",
                                 ly_transport_peer_name(t));
    return true;
}

bool ly_kexinit_received(LyTransport *t, uint32_t seq)
{
    KexInit peer;
    LyChosen chosen = {0};
    LyBytes name;
    if (!get(ly_buf_bytes(&t->kex.peer_init), &peer))
        return ly_transport_fail(t, LY_ERROR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR,
                                 "the %s's KEXINIT is malformed", ly_transport_peer_name(t));
    if (!t->established && !read_marks(t, &peer, seq))
        return false;
    if (!agree(t, "key exchange method", "KexAlgorithms", own_list(t, LY_ALGORITHMS_KEX), peer.list[LIST_KEX],
               &name))
        return false;
    chosen.kex = ly_kex_find(name);
    if (!agree(t, "host key algorithm", "HostKeyAlgorithms", own_list(t, LY_ALGORITHMS_HOST_KEY),
               peer.list[LIST_HOST_KEY], &name))
        return false;
    chosen.host_key = ly_signature_algorithm_find(name);
    if (!agree_direction(t, &peer, LY_TO_SERVER, &chosen) ||
        !agree_direction(t, &peer, LY_TO_CLIENT, &chosen))
        return false;
    chosen.names.kex = ly_bytes_str(chosen.kex->name);
    chosen.names.host_key = ly_bytes_str(chosen.host_key->name);
    chosen.names.strict_kex = t->strict;
    chosen.wrong_guess = peer.first_kex_packet_follows && !guessed_right(t, &peer);
    t->kex.chosen = chosen;
    return true;
}
