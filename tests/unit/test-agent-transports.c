/* The bytes of the Cygwin and Pageant transports: the socket file, its handshake, the shared memory, the
 * names. */
#include <glib.h>
#include <stdlib.h>

#include "agent/cygwin.h"
#include "agent/pageant.h"
#include "base/memory.h"
#include "crypto/hash.h"

static const uint8_t SECRET[LY_CYGWIN_SECRET_LEN] = {0x57, 0x1f, 0x8c, 0x59, 0x01, 0x02, 0x03, 0x04,
                                                     0xff, 0x00, 0xab, 0xcd, 0x9a, 0x78, 0x56, 0x34};
#define GUID "598C1F57-04030201-CDAB00FF-3456789A"
#define GUID_LOWER "598c1f57-04030201-cdab00ff-3456789a"

/* The file. */

static LyCygwinFile sample(uint16_t port)
{
    LyCygwinFile file = {.port = port};
    memcpy(file.secret, SECRET, sizeof SECRET);
    return file;
}

static void test_file_written(void)
{
    static const char text[] = "!<socket >54321 s " GUID; /* and its NUL */
    LyCygwinFile file = sample(54321), read;
    LyBuf out = {0};
    ly_put_cygwin_file(&file, &out);
    g_assert_cmpmem(out.data, out.len, text, sizeof text);
    g_assert_cmpuint(out.len, ==, 54);
    g_assert_true(ly_get_cygwin_file(ly_buf_bytes(&out), &read, NULL));
    g_assert_cmpuint(read.port, ==, 54321);
    g_assert_cmpmem(read.secret, sizeof read.secret, SECRET, sizeof SECRET);
    ly_buf_clear(&out);
    file.port = 7;
    ly_put_cygwin_file(&file, &out);
    g_assert_cmpmem(out.data, out.len, "!<socket >7 s " GUID, 50);
    ly_buf_free(&out);
}

static void test_file_read(void)
{
    static const struct {
        const char *text;
        int code; /* LY_OK: read, with port 4711 and the secret */
    } rows[] = {
        {"!<socket >4711 s " GUID, LY_OK},
        {"!<socket >4711 s " GUID_LOWER, LY_OK},
        {"!<socket >4711 s 598c1F57-04030201-CDab00ff-3456789A", LY_OK},
        {"!<socket >4711 s " GUID "\n", LY_OK},
        {"!<socket >4711 s " GUID " and more", LY_OK},
        {"!<socket >4711  s  " GUID, LY_OK},
        {"!<socket >4711 d " GUID, LY_ERROR_UNSUPPORTED},
        {"!<socket >4711 " GUID, LY_ERROR_INVALID}, /* MSYS 1 */
        {"!<socket >4711 x " GUID, LY_ERROR_INVALID},
        {"!<socket >0 s " GUID, LY_ERROR_INVALID},
        {"!<socket >65536 s " GUID, LY_ERROR_INVALID},
        {"!<socket >4294971999 s " GUID, LY_ERROR_INVALID}, /* 4711 in 32 bits */
        {"!<socket >-1 s " GUID, LY_ERROR_INVALID},
        {"!<socket >+4711 s " GUID, LY_ERROR_INVALID},
        {"!<socket > s " GUID, LY_ERROR_INVALID},
        {"!<socket >99999999999999999999999999999999999999 s " GUID, LY_ERROR_INVALID},
        {"!<socket >4711 s " GUID "0", LY_ERROR_INVALID},
        {"!<socket >4711 s " GUID "-", LY_ERROR_INVALID},
        {"!<socket >4711 s 598C1F57-04030201-CDAB00FF-3456789", LY_ERROR_INVALID},
        {"!<socket >4711 s 598C1F57-04030201-CDAB00FF", LY_ERROR_INVALID},
        {"!<socket >4711 s 598C1F57 04030201 CDAB00FF 3456789A", LY_ERROR_INVALID},
        {"!<socket >4711 s 598C1F5704030201CDAB00FF3456789A", LY_ERROR_INVALID},
        {"!<socket >4711 s 598C1F5G-04030201-CDAB00FF-3456789A", LY_ERROR_INVALID},
        {"!<socket >4711 s 0x8C1F57-04030201-CDAB00FF-3456789A", LY_ERROR_INVALID},
        {"!<socket>4711 s " GUID, LY_ERROR_INVALID},
        {"!<SOCKET >4711 s " GUID, LY_ERROR_INVALID},
        {" !<socket >4711 s " GUID, LY_ERROR_INVALID},
        {"!<symlink>/tmp/agent", LY_ERROR_INVALID},
        {"", LY_ERROR_INVALID},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyCygwinFile file = {0}, untouched = {0};
        LyError error = {0};
        bool good = ly_get_cygwin_file(ly_bytes_str(rows[i].text), &file, &error);
        g_test_message("%s: %s", rows[i].text, error.message);
        g_assert_cmpint(error.code, ==, rows[i].code);
        g_assert_true(good == (rows[i].code == LY_OK));
        if (good) {
            g_assert_cmpuint(file.port, ==, 4711);
            g_assert_cmpmem(file.secret, sizeof file.secret, SECRET, sizeof SECRET);
        } else {
            g_assert_cmpmem(&file, sizeof file, &untouched, sizeof untouched);
            g_assert_cmpuint(strlen(error.message), >, 20);
        }
    }
    g_assert_true(ly_is_cygwin_file(LY_BYTES("!<socket >")));
    g_assert_false(ly_is_cygwin_file(LY_BYTES("!<socket ")));
    g_assert_false(ly_is_cygwin_file((LyBytes){0}));
}

/* A copy on the heap that ends where the bytes end, so that reading on is found. */
static uint8_t *exact(const void *bytes, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    if (len)
        memcpy(copy, bytes, len);
    return copy;
}

static void test_file_damaged(void)
{
    static const char text[] = "!<socket >4711 s " GUID;
    LyCygwinFile file;
    for (size_t len = 0; len < sizeof text; len++) {
        uint8_t *copy = exact(text, len);
        bool good = ly_get_cygwin_file(ly_bytes(copy, len), &file, NULL);
        g_assert_true(good == (len >= sizeof text - 1));
        for (size_t bit = 0; bit < len * 8; bit++) {
            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (ly_get_cygwin_file(ly_bytes(copy, len), &file, NULL))
                g_assert_cmpuint(file.port, !=, 0);
            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        free(copy);
    }
    /* What lies behind byte 128 does not count. */
    char padded[300];
    memset(padded, ' ', sizeof padded);
    memcpy(padded, "!<socket >4711", 14);
    memcpy(padded + 128 - 37, "s " GUID "0000", 41);
    g_assert_true(ly_get_cygwin_file(ly_bytes(padded, sizeof padded), &file, NULL));
    g_assert_cmpmem(file.secret, sizeof file.secret, SECRET, sizeof SECRET);
    memset(padded + 14, ' ', sizeof padded - 14);
    memcpy(padded + 128 - 36, "s " GUID, 37);
    g_assert_false(ly_get_cygwin_file(ly_bytes(padded, sizeof padded), &file, NULL));
}

static void test_assuan_file(void)
{
    static const char text[] = "54321\n"
                               "0123456789\n\0\xff"
                               "def";
    static const char *const refused[] = {
        "",       "\n0123456789abcdef",     "0\n0123456789abcdef",      "65536\n0123456789abcdef",
        "port\n", "54321 0123456789abcdef", "54321\n0123456789abcdef0", "54321\r\n0123456789abcdef"};
    LyCygwinFile file = {0};
    g_assert_true(ly_get_assuan_file(ly_bytes(text, sizeof text - 1), &file, NULL));
    g_assert_cmpuint(file.port, ==, 54321);
    g_assert_cmpmem(file.secret, sizeof file.secret, text + 6, 16);
    for (size_t len = 0; len < sizeof text - 1; len++) {
        uint8_t *copy = exact(text, len);
        g_assert_false(ly_get_assuan_file(ly_bytes(copy, len), &file, NULL));
        free(copy);
    }
    for (size_t i = 0; i < LY_COUNT(refused); i++) {
        LyError error = {0};
        g_assert_false(ly_get_assuan_file(ly_bytes_str(refused[i]), &file, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
    }
}

/* The handshake. */

static const LyCygwinCredentials CLIENT = {.pid = 0x01020304, .uid = 0x000303e8, .gid = 0xfffffffe},
                                 SERVER = {.pid = -2, .uid = 11, .gid = 12};
static const char CLIENT_CREDENTIALS[] = "\x04\x03\x02\x01\xe8\x03\x03\0\xfe\xff\xff\xff",
                  SERVER_CREDENTIALS[] = "\xfe\xff\xff\xff\xe8\x03\x03\0\xfe\xff\xff\xff";

static void test_handshake_server(void)
{
    static const size_t pieces[] = {1, 7, 16, 28, 100};
    LyCygwinFile file = sample(1);
    LyBuf in = {0};
    ly_buf_add(&in, ly_bytes(SECRET, sizeof SECRET));
    ly_buf_add(&in, ly_bytes(CLIENT_CREDENTIALS, 12));
    ly_buf_add(&in, LY_BYTES("\0\0\0\1\x0b"));
    for (size_t i = 0; i < LY_COUNT(pieces); i++) {
        LyCygwinHandshake handshake;
        LyBuf out = {0};
        size_t taken = 0;
        ly_cygwin_handshake_begin(&handshake, true, &file, SERVER, &out);
        g_assert_cmpuint(out.len, ==, 0); /* the client speaks first */
        for (size_t at = 0; at < in.len; at += pieces[i]) {
            LyBytes piece = ly_bytes_slice(ly_buf_bytes(&in), at, pieces[i]);
            g_assert_cmpuint(out.len, ==, at >= 28 ? 28 : at >= 16 ? 16 : 0);
            taken += ly_cygwin_handshake_receive(&handshake, piece, &out);
            g_assert_true(handshake.done == (at + piece.len >= 28));
            g_assert_false(handshake.failed);
        }
        g_assert_cmpuint(taken, ==, 28); /* the agent's own bytes are left */
        g_assert_cmpmem(out.data, 16, SECRET, 16);
        g_assert_cmpmem(out.data + 16, out.len - 16, SERVER_CREDENTIALS, 12);
        g_assert_cmpint(handshake.theirs.pid, ==, CLIENT.pid);
        g_assert_cmpuint(handshake.theirs.uid, ==, CLIENT.uid);
        g_assert_cmpuint(handshake.theirs.gid, ==, CLIENT.gid);
        ly_buf_free(&out);
    }
    ly_buf_free(&in);
}

static void test_handshake_client(void)
{
    static const size_t pieces[] = {1, 7, 16, 28, 100};
    LyCygwinFile file = sample(1);
    LyBuf in = {0};
    ly_buf_add(&in, ly_bytes(SECRET, sizeof SECRET));
    ly_buf_add(&in, ly_bytes(SERVER_CREDENTIALS, 12));
    ly_buf_add(&in, LY_BYTES("more"));
    for (size_t i = 0; i < LY_COUNT(pieces); i++) {
        LyCygwinHandshake handshake;
        LyBuf out = {0};
        size_t taken = 0;
        ly_cygwin_handshake_begin(&handshake, false, &file, CLIENT, &out);
        g_assert_cmpmem(out.data, out.len, SECRET, 16);
        for (size_t at = 0; at < in.len; at += pieces[i])
            taken += ly_cygwin_handshake_receive(&handshake, ly_bytes_slice(ly_buf_bytes(&in), at, pieces[i]),
                                                 &out);
        g_assert_true(handshake.done && !handshake.failed);
        g_assert_cmpuint(taken, ==, 28);
        g_assert_cmpmem(out.data + 16, out.len - 16, CLIENT_CREDENTIALS, 12);
        g_assert_cmpint(handshake.theirs.pid, ==, SERVER.pid);
        g_assert_cmpuint(handshake.theirs.uid, ==, CLIENT.uid);
        ly_buf_free(&out);
    }
    ly_buf_free(&in);
}

/* Each wrong bit, at either end: failed exactly with the secret's last byte, and not a byte said. */
static void test_handshake_wrong_secret(void)
{
    LyCygwinFile file = sample(1);
    for (int server = 0; server < 2; server++) {
        for (size_t bit = 0; bit < sizeof SECRET * 8; bit++) {
            LyCygwinHandshake handshake;
            uint8_t wrong[sizeof SECRET + 12] = {0};
            LyBuf out = {0};
            memcpy(wrong, SECRET, sizeof SECRET);
            wrong[bit / 8] ^= (uint8_t)(1 << bit % 8);
            ly_cygwin_handshake_begin(&handshake, server, &file, CLIENT, &out);
            size_t said = out.len;
            g_assert_cmpuint(ly_cygwin_handshake_receive(&handshake, ly_bytes(wrong, 15), &out), ==, 15);
            g_assert_false(handshake.failed);
            g_assert_cmpuint(ly_cygwin_handshake_receive(&handshake, ly_bytes(wrong + 15, 13), &out), ==, 1);
            g_assert_true(handshake.failed && !handshake.done);
            g_assert_cmpuint(ly_cygwin_handshake_receive(&handshake, ly_bytes(wrong, 16), &out), ==, 0);
            g_assert_true(handshake.failed && !handshake.done);
            g_assert_cmpuint(out.len, ==, said);
            static const uint8_t none[LY_CYGWIN_SECRET_LEN];
            g_assert_cmpmem(handshake.secret, sizeof none, none, sizeof none);
            ly_buf_free(&out);
        }
    }
}

static void test_handshake_truncated(void)
{
    LyCygwinFile file = sample(1);
    uint8_t in[28];
    memcpy(in, SECRET, 16);
    memcpy(in + 16, CLIENT_CREDENTIALS, 12);
    for (size_t len = 0; len < sizeof in; len++) {
        LyCygwinHandshake handshake;
        LyBuf out = {0};
        uint8_t *copy = exact(in, len);
        ly_cygwin_handshake_begin(&handshake, true, &file, SERVER, &out);
        g_assert_cmpuint(ly_cygwin_handshake_receive(&handshake, ly_bytes(copy, len), &out), ==, len);
        g_assert_false(handshake.done || handshake.failed);
        g_assert_cmpuint(out.len, ==, len >= 16 ? 16 : 0);
        free(copy);
        ly_buf_free(&out);
    }
}

/* Both ends of ours, whatever the pieces. */
static void test_handshake_both(void)
{
    for (size_t piece = 1; piece <= 28; piece++) {
        LyCygwinFile file = sample(1);
        LyCygwinHandshake client, server;
        LyBuf to_server = {0}, to_client = {0};
        ly_cygwin_handshake_begin(&client, false, &file, CLIENT, &to_server);
        ly_cygwin_handshake_begin(&server, true, &file, SERVER, &to_client);
        while (to_server.len || to_client.len) {
            LyBytes in = ly_bytes_slice(ly_buf_bytes(&to_server), 0, piece);
            ly_buf_drop(&to_server, ly_cygwin_handshake_receive(&server, in, &to_client));
            in = ly_bytes_slice(ly_buf_bytes(&to_client), 0, piece);
            ly_buf_drop(&to_client, ly_cygwin_handshake_receive(&client, in, &to_server));
        }
        g_assert_true(client.done && server.done);
        g_assert_cmpuint(client.theirs.uid, ==, CLIENT.uid); /* its own, so that getpeereid is content */
        ly_buf_free(&to_server);
        ly_buf_free(&to_client);
    }
}

/* Pageant's shared memory. */

static void test_map_name(void)
{
    static const struct {
        uint64_t dw_data;
        LyBytes data;
        const char *name;
    } rows[] = {
        {LY_PAGEANT_COPYDATA, {(const uint8_t *)"PageantRequest0000abcd", 23}, "PageantRequest0000abcd"},
        {LY_PAGEANT_COPYDATA, {(const uint8_t *)"SSHAgentRequest00000001", 24}, "SSHAgentRequest00000001"},
        {0xffffffff804e50bau, {(const uint8_t *)"x", 2}, "x"},
        {LY_PAGEANT_COPYDATA + 1, {(const uint8_t *)"x", 2}, NULL},
        {0, {(const uint8_t *)"x", 2}, NULL},
        {LY_PAGEANT_COPYDATA, {(const uint8_t *)"x", 1}, NULL},    /* no NUL */
        {LY_PAGEANT_COPYDATA, {(const uint8_t *)"x\0y", 4}, NULL}, /* two */
        {LY_PAGEANT_COPYDATA, {(const uint8_t *)"x\0", 3}, NULL},  /* two at the end */
        {LY_PAGEANT_COPYDATA, {(const uint8_t *)"", 1}, NULL},     /* nothing but the NUL */
        {LY_PAGEANT_COPYDATA, {(const uint8_t *)"", 0}, NULL},
        {LY_PAGEANT_COPYDATA, {NULL, 0}, NULL},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyBytes name = LY_BYTES("untouched");
        LyError error = {0};
        bool good = ly_pageant_map_name(rows[i].dw_data, rows[i].data, &name, &error);
        g_assert_true(good == (rows[i].name != NULL));
        g_assert_true(ly_bytes_is(name, good ? rows[i].name : "untouched"));
        g_assert_cmpint(error.code, ==, good ? LY_OK : LY_ERROR_INVALID);
    }
}

static void test_map_request(void)
{
    static const struct {
        const char *map;
        size_t len;
        const char *request; /* NULL: refused */
    } rows[] = {
        {"\0\0\0\1\x0b", 5, "\x0b"},
        {"\0\0\0\1\x0b\xff\xff", 7, "\x0b"},
        {"\0\0\0\3\x0b\1\2", 7, "\x0b\1\2"},
        {"\0\0\0\4\x0b\1\2", 7, NULL},
        {"\0\0\0\0\x0b", 5, NULL},
        {"\0\0\0\1", 4, NULL},
        {"\xff\xff\xff\xff\x0b", 5, NULL},
        {"\xff\xff\xff\xfc\x0b", 5, NULL},
        {"\x80\0\0\1\x0b", 5, NULL},
        {"", 0, NULL},
        {"\0\0\0", 3, NULL},
        {"\0\0\0\2\x0b", 5, NULL},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        uint8_t *map = exact(rows[i].map, rows[i].len);
        LyBuf request = {0};
        LyBytes reply = LY_BYTES("untouched");
        LyError error = {0};
        bool good = ly_pageant_get_request(ly_bytes(map, rows[i].len), &request, &error);
        g_assert_true(good == (rows[i].request != NULL));
        g_assert_true(good ==
                      ly_pageant_get_reply(ly_bytes(map, rows[i].len), &reply, NULL)); /* the same rules */
        g_assert_cmpint(error.code, ==, good ? LY_OK : LY_ERROR_INVALID);
        if (good) {
            g_assert_true(ly_bytes_is(ly_buf_bytes(&request), rows[i].request));
            g_assert_true(ly_bytes_equal(ly_buf_bytes(&request), reply));
            g_assert_true(reply.data == map + 4);
            memset(map, 0xee, rows[i].len); /* the other process writes on: ours is a copy */
            g_assert_true(ly_bytes_is(ly_buf_bytes(&request), rows[i].request));
        } else {
            g_assert_cmpuint(request.len, ==, 0);
            g_assert_true(ly_bytes_is(reply, "untouched"));
        }
        ly_buf_free(&request);
        free(map);
    }
    /* The longest request, and one byte more. */
    size_t len = 4 + (size_t)LY_PAGEANT_MESSAGE_MAX + 1;
    uint8_t *map = malloc(len);
    LyBuf request = {0};
    LyError error = {0};
    memset(map, 11, len);
    memcpy(map, "\0\4\0\0", 4);
    g_assert_true(ly_pageant_get_request(ly_bytes(map, len), &request, NULL));
    g_assert_cmpuint(request.len, ==, LY_PAGEANT_MESSAGE_MAX);
    ly_buf_free(&request);
    memcpy(map, "\0\4\0\1", 4);
    g_assert_false(ly_pageant_get_request(ly_bytes(map, len), &request, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_LIMIT);
    request = LY_BUF(3);
    memcpy(map, "\0\0\0\4", 4);
    g_assert_false(ly_pageant_get_request(ly_bytes(map, len), &request, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_LIMIT);
    ly_buf_free(&request);
    free(map);
}

static void test_map_reply(void)
{
    static const uint8_t reply[] = {12, 0, 0, 0, 0, 7, 7, 7, 7, 7};
    for (size_t map_len = 0; map_len < 32; map_len++) {
        for (size_t len = 0; len <= sizeof reply; len++) {
            uint8_t *map = malloc(map_len + 1), *bytes = exact(reply, len);
            LyBytes got = {0};
            memset(map, 0xaa, map_len + 1);
            ly_pageant_put_reply(ly_bytes(bytes, len), map, map_len);
            g_assert_cmpuint(map[map_len], ==, 0xaa); /* nothing behind the map */
            bool good = ly_pageant_get_reply(ly_bytes(map, map_len), &got, NULL);
            g_assert_true(good == (map_len >= 5));
            if (good && (len == 0 || len > map_len - 4))
                g_assert_cmpmem(got.data, got.len, "\5", 1);
            else if (good)
                g_assert_cmpmem(got.data, got.len, reply, len);
            free(map);
            free(bytes);
        }
    }
}

/* The pipe's name as a real Pageant has it where CryptProtectMemory changes nothing (Wine 8). */
static void test_pipe_name(void)
{
    static const uint8_t name[16] = "Pageant";
    LyBuf data = {0}, pipe = {0};
    uint8_t digest[32];
    LyCrypto *crypto = ly_crypto_new(0, NULL);
    ly_pageant_pipe_data(name, &data);
    g_assert_cmpmem(data.data, data.len, "\0\0\0\x10Pageant\0\0\0\0\0\0\0\0\0", 20);
    LyBytes part = ly_buf_bytes(&data);
    g_assert_true(ly_hash(crypto, LY_SHA256, &part, 1, digest));
    ly_pageant_pipe_name("root", digest, &pipe);
    g_assert_cmpstr(ly_buf_str(&pipe), ==,
                    "\\\\.\\pipe\\pageant.root."
                    "2e9e7389b30cd8240bf15518e9a228d6537dc38d64b2070a189ca2fe5452d492");
    ly_buf_free(&data);
    ly_buf_free(&pipe);
    ly_crypto_unref(crypto);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/agent-transports/cygwin-file/written", test_file_written);
    g_test_add_func("/agent-transports/cygwin-file/read", test_file_read);
    g_test_add_func("/agent-transports/cygwin-file/damaged", test_file_damaged);
    g_test_add_func("/agent-transports/assuan-file", test_assuan_file);
    g_test_add_func("/agent-transports/cygwin-handshake/server", test_handshake_server);
    g_test_add_func("/agent-transports/cygwin-handshake/client", test_handshake_client);
    g_test_add_func("/agent-transports/cygwin-handshake/wrong-secret", test_handshake_wrong_secret);
    g_test_add_func("/agent-transports/cygwin-handshake/truncated", test_handshake_truncated);
    g_test_add_func("/agent-transports/cygwin-handshake/both", test_handshake_both);
    g_test_add_func("/agent-transports/pageant/map-name", test_map_name);
    g_test_add_func("/agent-transports/pageant/request", test_map_request);
    g_test_add_func("/agent-transports/pageant/reply", test_map_reply);
    g_test_add_func("/agent-transports/pageant/pipe-name", test_pipe_name);
    return g_test_run();
}
