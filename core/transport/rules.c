#include "transport/transport-private.h"

/* What each message that comes in means, by the state of the transport.
 *
 * The states, one letter each in the order of LyRuleState:
 *
 * - W: first exchange, the peer's KEXINIT has not come
 * - K: first exchange; N: first exchange, NEWKEYS is due
 * - S: as K with strict KEX; T: as N with strict KEX
 * - V: keys in force, not signed in; A: signed in
 * - R: re-exchange, the peer's KEXINIT has come; Q: re-exchange, NEWKEYS is due
 *
 * While only we have sent KEXINIT, the state is V or A still: what the peer sent before its own is legal.
 * The rules: '.' refused (fatal), 'i' ignored, 'h' handled here, 'u' handed up, '?' answered with
 * UNIMPLEMENTED; 'l' handed up if signed in, else refused: RFC 4253 section 7.1 forbids it, but asyncssh's
 * channels go on in its re-exchange (seen with 2.10), and OpenSSH and PuTTY let them. */
enum { CLIENT = 1 << LY_CLIENT, SERVER = 1 << LY_SERVER, BOTH = CLIENT | SERVER };

typedef struct Row {
    uint8_t first, last; /* message numbers */
    uint8_t roles;       /* who receives */
    const char *rule;
} Row;

/* clang-format off */
static const Row rows[] = {
    /*                                                                             WKNSTVARQ */
    {0, 0, BOTH,                                                                  "........."},
    {SSH_MSG_DISCONNECT, SSH_MSG_DISCONNECT, BOTH,                                "hhhhhhhhh"},
    {SSH_MSG_IGNORE, SSH_MSG_IGNORE, BOTH,                                        "iii..iiii"},
    {SSH_MSG_UNIMPLEMENTED, SSH_MSG_DEBUG, BOTH,                                  "hhh..hhhh"},
    {SSH_MSG_SERVICE_REQUEST, SSH_MSG_SERVICE_REQUEST, SERVER,                    ".....u..."},
    {SSH_MSG_SERVICE_ACCEPT, SSH_MSG_SERVICE_ACCEPT, CLIENT,                      ".....u..."},
    {SSH_MSG_SERVICE_REQUEST, SSH_MSG_SERVICE_ACCEPT, BOTH,                       "........."},
    {SSH_MSG_EXT_INFO, SSH_MSG_EXT_INFO, BOTH,                                    ".....hi.."},
    {SSH_MSG_NEWCOMPRESS, 19, BOTH,                                               "???..????"},
    {SSH_MSG_KEXINIT, SSH_MSG_KEXINIT, BOTH,                                      "h....hh.."},
    {SSH_MSG_NEWKEYS, SSH_MSG_NEWKEYS, BOTH,                                      "..h.h...h"},
    {22, 29, BOTH,                                                                ".....??.."},
    {30, 49, BOTH,                                                                ".h.h...h."},
    /* RFC 4252 5.1: requests behind SUCCESS are ignored. */
    {SSH_MSG_USERAUTH_REQUEST, SSH_MSG_USERAUTH_REQUEST, SERVER,                  ".....ui.."},
    {SSH_MSG_USERAUTH_FAILURE, SSH_MSG_USERAUTH_BANNER, CLIENT,                   ".....u..."},
    {SSH_MSG_USERAUTH_REQUEST, SSH_MSG_USERAUTH_BANNER, BOTH,                     "........."},
    {54, 59, BOTH,                                                                ".....??.."},
    {60, 79, SERVER,                                                              ".....ui.."},
    {60, 79, CLIENT,                                                              ".....u..."},
    {SSH_MSG_GLOBAL_REQUEST, 127, BOTH,                                           "......ull"},
    {128, 191, BOTH,                                                              ".....??.."},
    {SSH_MSG_PING, SSH_MSG_PING, BOTH,                                            ".....hhhh"},
    {SSH_MSG_PONG, SSH_MSG_PONG, BOTH,                                            ".....uuii"},
    {194, 255, BOTH,                                                              ".....??.."},
};
/* clang-format on */

LyRuleState ly_transport_rule_state(const LyTransport *t)
{
    bool due = t->kex.step == LY_KEX_STEP_NEWKEYS;
    if (!t->established) {
        if (!t->kex.peer_received)
            return LY_RULES_WAIT_KEXINIT;
        if (t->strict)
            return due ? LY_RULES_STRICT_NEWKEYS : LY_RULES_STRICT_KEX;
        return due ? LY_RULES_NEWKEYS : LY_RULES_KEX;
    }
    if (t->kex.peer_received)
        return due ? LY_RULES_AGAIN_NEWKEYS : LY_RULES_AGAIN_KEX;
    return t->authenticated ? LY_RULES_AUTHENTICATED : LY_RULES_SERVICE;
}

LyRule ly_transport_rule(LyRole role, LyRuleState state, uint8_t number)
{
    for (size_t i = 0; i < LY_COUNT(rows); i++)
        if (number >= rows[i].first && number <= rows[i].last && rows[i].roles >> role & 1)
            return (LyRule)rows[i].rule[state];
    return LY_RULE_REFUSED;
}

const char *ly_transport_rule_state_name(LyRuleState state)
{
    static const char *const names[LY_RULES_COUNT] = {
        [LY_RULES_WAIT_KEXINIT] = "before KEXINIT",
        [LY_RULES_KEX] = "in the first key exchange",
        [LY_RULES_NEWKEYS] = "where NEWKEYS is due",
        [LY_RULES_STRICT_KEX] = "in the first key exchange (strict)",
        [LY_RULES_STRICT_NEWKEYS] = "where NEWKEYS is due (strict)",
        [LY_RULES_SERVICE] = "before sign-in",
        [LY_RULES_AUTHENTICATED] = "after sign-in",
        [LY_RULES_AGAIN_KEX] = "in a key re-exchange",
        [LY_RULES_AGAIN_NEWKEYS] = "in a key re-exchange where NEWKEYS is due",
    };
    return names[state];
}
