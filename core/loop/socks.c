#include "loop/socks.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/wire.h"
#include "connection/connection.h"

#define SOCKS_CONNECT 1
#define NAME_MAX_LEN ((size_t)255)
#define METHOD_NONE 0
#define METHOD_PASSWORD 2
#define METHOD_NO_ACCEPTABLE 0xff
#define REPLY_COMMAND_NOT_SUPPORTED 7
#define REPLY_ADDRESS_NOT_SUPPORTED 8

void ly_socks_init(LySocks *socks, const char *user_name, const char *password)
{
    *socks = (LySocks){.user_name = {(const uint8_t *)user_name, 0}};
    if (user_name) {
        socks->user_name = ly_bytes_str(user_name);
        socks->password = ly_bytes_str(password);
    }
}

static LySocksStep fail(LySocks *socks, LyError *error, const char *sentence)
{
    ly_error_set(error, LY_ERROR_PROTOCOL, "SOCKS: %s", sentence);
    return socks->step = LY_SOCKS_FAILED;
}

static LySocksStep next(LySocks *socks, LySocksStep step)
{
    ly_cleanse(socks->held, socks->held_len);
    socks->held_len = 0;
    return socks->step = step;
}

/* A host's name: it comes to stand in messages, in a channel's request and in getaddrinfo. */
static bool set_host(LySocks *socks, LyBytes name)
{
    if (name.len == 0 || name.len > NAME_MAX_LEN)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] <= ' ' || name.data[i] == 0x7f)
            return false;
    memcpy(socks->host, name.data, name.len);
    socks->host[name.len] = 0;
    return true;
}

/* ---- version 4 and 4a: 4, command, port, address, user's name, NUL [, host's name, NUL] ---- */

static void reply_4(LyBuf *out, bool granted)
{
    uint8_t reply[8] = {0, granted ? 90 : 91};
    ly_buf_add(out, ly_bytes(reply, sizeof reply));
}

static LySocksStep receive_4(LySocks *socks, LyBuf *out, LyError *error)
{
    const uint8_t *held = socks->held;
    if (socks->held_len < 8)
        return LY_SOCKS_4;
    if (socks->user_name.data) {
        reply_4(out, false);
        return fail(socks, error, "a password is needed, and version 4 has none; use version 5");
    }
    if (held[1] != SOCKS_CONNECT) {
        reply_4(out, false);
        return fail(socks, error, "a command other than CONNECT was asked for");
    }
    LyBytes name, host, rest = ly_bytes(held + 8, socks->held_len - 8);
    if (!ly_bytes_split(rest, 0, &name, &rest))
        return rest.len > NAME_MAX_LEN || name.len > NAME_MAX_LEN
                   ? fail(socks, error, "a user's name has more than 255 bytes")
                   : LY_SOCKS_4;
    bool has_name = held[4] == 0 && held[5] == 0 && held[6] == 0 && held[7] != 0;
    if (has_name) {
        if (!ly_bytes_split(rest, 0, &host, &rest))
            return rest.len > NAME_MAX_LEN || host.len > NAME_MAX_LEN
                       ? fail(socks, error, "a host's name has more than 255 bytes")
                       : LY_SOCKS_4;
        if (!set_host(socks, host)) {
            reply_4(out, false);
            return fail(socks, error, "the host's name is malformed");
        }
    } else {
        inet_ntop(AF_INET, held + 4, socks->host, sizeof socks->host);
    }
    socks->port = (uint16_t)(held[2] << 8 | held[3]);
    return next(socks, LY_SOCKS_CONNECT);
}

/* ---- version 5 ---- */

static void reply_5(LyBuf *out, uint8_t reply)
{
    const uint8_t bytes[10] = {5, reply, 0, 1}; /* bound to 0.0.0.0 port 0: the server does not tell */
    ly_buf_add(out, ly_bytes(bytes, sizeof bytes));
}

/* 5, count, methods */
static LySocksStep receive_methods(LySocks *socks, LyBuf *out, LyError *error)
{
    if (socks->held_len < 2 || socks->held_len < 2 + (size_t)socks->held[1])
        return LY_SOCKS_METHODS;
    uint8_t wanted = socks->user_name.data ? METHOD_PASSWORD : METHOD_NONE;
    bool offered = socks->held[1] && memchr(socks->held + 2, wanted, socks->held[1]) != NULL;
    ly_put_u8(out, 5);
    ly_put_u8(out, offered ? wanted : METHOD_NO_ACCEPTABLE);
    if (!offered)
        return fail(socks, error,
                    wanted ? "a password is needed, and the client does not offer one"
                           : "the client wants to authenticate itself, and nobody asked it to");
    return next(socks, wanted ? LY_SOCKS_PASSWORD : LY_SOCKS_REQUEST);
}

/* 1, length, user's name, length, password */
static LySocksStep receive_password(LySocks *socks, LyBuf *out, LyError *error)
{
    const uint8_t *held = socks->held;
    size_t name_len = socks->held_len > 1 ? held[1] : 0;
    if (held[0] != 1)
        return fail(socks, error, "a version of the password's message that is not 1");
    if (socks->held_len < 3 + name_len || socks->held_len < 3 + name_len + held[2 + name_len])
        return LY_SOCKS_PASSWORD;
    bool right = ly_bytes_equal_secret(ly_bytes(held + 2, name_len), socks->user_name);
    right &= ly_bytes_equal_secret(ly_bytes(held + 3 + name_len, held[2 + name_len]), socks->password);
    next(socks, LY_SOCKS_REQUEST);
    ly_put_u8(out, 1);
    ly_put_u8(out, right ? 0 : 1);
    return right ? LY_SOCKS_REQUEST : fail(socks, error, "a wrong user's name or password");
}

/* 5, command, 0, kind of address, address, port */
static LySocksStep receive_request(LySocks *socks, LyBuf *out, LyError *error)
{
    const uint8_t *held = socks->held;
    size_t len = socks->held_len;
    if (held[0] != 5)
        return fail(socks, error, "a request of another version than 5");
    if (len < 5)
        return LY_SOCKS_REQUEST;
    size_t address_len = held[3] == 1 ? 4 : held[3] == 4 ? 16 : held[3] == 3 ? 1 + (size_t)held[4] : 0;
    if (!address_len) {
        reply_5(out, REPLY_ADDRESS_NOT_SUPPORTED);
        return fail(socks, error, "an unknown kind of address");
    }
    if (len < 4 + address_len + 2)
        return LY_SOCKS_REQUEST;
    if (held[1] != SOCKS_CONNECT) {
        reply_5(out, REPLY_COMMAND_NOT_SUPPORTED);
        return fail(socks, error, "a command other than CONNECT was asked for");
    }
    if (held[3] != 3) {
        inet_ntop(held[3] == 1 ? AF_INET : AF_INET6, held + 4, socks->host, sizeof socks->host);
    } else if (!set_host(socks, ly_bytes(held + 5, held[4]))) {
        reply_5(out, REPLY_ADDRESS_NOT_SUPPORTED);
        return fail(socks, error, "the host's name is malformed");
    }
    socks->port = (uint16_t)(held[4 + address_len] << 8 | held[5 + address_len]);
    return next(socks, LY_SOCKS_CONNECT);
}

/* ---- both ---- */

static LySocksStep receive_version(LySocks *socks, LyError *error)
{
    socks->version = socks->held[0];
    if (socks->version == 4)
        return socks->step = LY_SOCKS_4;
    if (socks->version == 5)
        return socks->step = LY_SOCKS_METHODS;
    return fail(socks, error, "this is not SOCKS: its first byte is neither 4 nor 5");
}

LySocksStep ly_socks_receive(LySocks *socks, LyBytes *in, LyBuf *out, LyError *error)
{
    /* Byte by byte: these messages tell how long they are as they go, and what follows is not ours. */
    while (in->len && socks->step < LY_SOCKS_CONNECT) {
        socks->held[socks->held_len++] = in->data[0];
        *in = ly_bytes_slice(*in, 1, in->len);
        switch (socks->step) {
        case LY_SOCKS_START:
            receive_version(socks, error);
            break;
        case LY_SOCKS_4:
            receive_4(socks, out, error);
            break;
        case LY_SOCKS_METHODS:
            receive_methods(socks, out, error);
            break;
        case LY_SOCKS_PASSWORD:
            receive_password(socks, out, error);
            break;
        default:
            receive_request(socks, out, error);
            break;
        }
    }
    if (socks->step == LY_SOCKS_FAILED)
        ly_cleanse(socks->held, sizeof socks->held);
    return socks->step;
}

void ly_socks_reply(LySocks *socks, uint32_t reason, LyBuf *out)
{
    /* RFC 1928 section 6: general failure, not allowed by ruleset, connection refused */
    static const uint8_t replies[] = {
        [0] = 0, [SSH_OPEN_ADMINISTRATIVELY_PROHIBITED] = 2, [SSH_OPEN_CONNECT_FAILED] = 5};
    if (socks->step != LY_SOCKS_CONNECT)
        return;
    if (socks->version == 4)
        reply_4(out, reason == 0);
    else
        reply_5(out, reason < LY_COUNT(replies) ? replies[reason] : 1);
    socks->step = LY_SOCKS_DONE;
}
