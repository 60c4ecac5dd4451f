/* core/sftp: the server without a file system: bytes in, bytes out, and a backend that answers when it is
 * told to. */
#include "sftp-script.h"
#include "sftp/server.h"

typedef struct Engine {
    LySftpServer *server;
    LyBuf out;
    size_t room;        /* bytes that the sink takes at once */
    GPtrArray *waiting; /* requests that the backend holds; NULL: it answers at once */
    LySftpRequest last;
    int requests, closes, cancels;
    bool handles; /* it answers OPEN and OPENDIR with handles */
    char extension[64];
} Engine;

static size_t engine_write(void *user, const LyBytes *parts, size_t count)
{
    Engine *engine = user;
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        LyBytes some = ly_bytes_slice(parts[i], 0, engine->room - taken);
        ly_buf_add(&engine->out, some);
        taken += some.len;
    }
    return taken;
}

static void answer(Engine *engine, LySftpRequest *request)
{
    static const uint8_t zeros[LY_SFTP_PACKET_MAX];
    if (request->type == SSH_FXP_READ)
        ly_sftp_reply_data(request, ly_bytes(zeros, request->len));
    else if (engine->handles && (request->type == SSH_FXP_OPEN || request->type == SSH_FXP_OPENDIR))
        ly_sftp_reply_handle(request, engine, request->type == SSH_FXP_OPENDIR);
    else
        ly_sftp_reply_status(request, SSH_FX_OK, NULL);
}

static void backend_request(LySftpRequest *request)
{
    Engine *engine = request->backend;
    engine->requests++;
    engine->last = *request;
    copy_text(request->extension_name, engine->extension, sizeof engine->extension);
    if (engine->waiting)
        g_ptr_array_add(engine->waiting, request);
    else
        answer(engine, request);
}

static void backend_close(void *user, void *handle, LySftpRequest *request)
{
    Engine *engine = user;
    g_assert_true(handle == engine);
    engine->closes++;
    if (request)
        ly_sftp_reply_status(request, SSH_FX_OK, NULL);
}

static void backend_cancel(LySftpRequest *request)
{
    Engine *engine = request->backend;
    engine->cancels++;
    g_assert_true(g_ptr_array_remove(engine->waiting, request));
}

static bool give(Engine *engine, LyBytes bytes)
{
    size_t taken;
    LyError error = {0};
    bool right = ly_sftp_server_receive(engine->server, bytes, &taken, &error);
    g_assert_true(right == (error.code == LY_OK));
    if (right)
        g_assert_cmpuint(taken, ==, bytes.len);
    return right;
}

static Engine *engine_new(LySftpServerOptions options, bool later, bool init)
{
    Engine *engine = g_new0(Engine, 1);
    engine->room = SIZE_MAX;
    engine->out.limit = SIZE_MAX / 2;
    engine->handles = true;
    engine->waiting = later ? g_ptr_array_new() : NULL;
    options.sink = (LySftpSink){engine_write, engine};
    options.backend = (LySftpBackend){.request = backend_request,
                                      .close = backend_close,
                                      .cancel = backend_cancel,
                                      .user = engine,
                                      .extensions = (1u << LY_SFTP_EXTENSION_COUNT) - 1,
                                      .answers_now = !later};
    engine->server = ly_sftp_server_new(&options);
    if (init) {
        g_assert_true(give(engine, LY_BYTES("\0\0\0\x05\x01\0\0\0\x03")));
        LyReader reader = ly_reader(ly_buf_bytes(&engine->out));
        LyReader packet = ly_reader(ly_get_string(&reader));
        g_assert_true(ly_reader_done(&reader));
        g_assert_cmpuint(ly_get_u8(&packet), ==, SSH_FXP_VERSION);
        g_assert_cmpuint(ly_get_u32(&packet), ==, 3);
        /* What is denied is not offered; the lists here all deny it. */
        bool all = !options.denied_requests && !options.allowed_requests;
        g_assert_cmpint(ly_bytes_is(ly_get_string(&packet), "posix-rename@openssh.com"), ==, all);
        ly_buf_clear(&engine->out);
    }
    return engine;
}

static void engine_free(Engine *engine)
{
    ly_sftp_server_free(engine->server);
    ly_buf_free(&engine->out);
    if (engine->waiting)
        g_ptr_array_unref(engine->waiting);
    g_free(engine);
}

static Engine *plain_engine(void)
{
    return engine_new((LySftpServerOptions){0}, false, true);
}

/* The only answer must be a STATUS of that id; its code. */
static uint32_t take_status(Engine *engine, uint32_t id)
{
    LyReader reader = ly_reader(ly_buf_bytes(&engine->out));
    LyReader packet = ly_reader(ly_get_string(&reader));
    g_assert_true(ly_reader_done(&reader));
    g_assert_cmpuint(ly_get_u8(&packet), ==, SSH_FXP_STATUS);
    g_assert_cmpuint(ly_get_u32(&packet), ==, id);
    uint32_t status = ly_get_u32(&packet);
    g_assert_cmpuint(ly_get_string(&packet).len, >, 0);
    ly_get_string(&packet);
    g_assert_true(ly_reader_done(&packet));
    ly_buf_clear(&engine->out);
    return status;
}

static LyBuf unhex(const char *hex)
{
    LyBuf bytes = {0};
    for (; *hex; hex += 2)
        ly_put_u8(&bytes, (uint8_t)(g_ascii_xdigit_value(hex[0]) * 16 + g_ascii_xdigit_value(hex[1])));
    return bytes;
}

static LyBuf packet_of(uint8_t type, uint32_t id, LyBytes body)
{
    LyBuf packet = {0};
    size_t mark = packet_begin(&packet, type, id);
    ly_buf_add(&packet, body);
    ly_put_string_end(&packet, mark);
    return packet;
}

static uint32_t ask_status(Engine *engine, uint8_t type, LyBytes body)
{
    LyBuf packet = packet_of(type, 0xfffffff0, body);
    g_assert_true(give(engine, ly_buf_bytes(&packet)));
    ly_buf_free(&packet);
    return take_status(engine, 0xfffffff0);
}

/* Opens a file or a directory; its handle on the wire (4 bytes). */
static void open_handle(Engine *engine, uint8_t type, uint8_t wire[4])
{
    LyBuf packet = packet_of(type, 9, LY_BYTES("\0\0\0\x01/\0\0\0\x01\0\0\0\0"));
    g_assert_true(give(engine, ly_buf_bytes(&packet)));
    ly_buf_free(&packet);
    if (engine->waiting)
        answer(engine, g_ptr_array_steal_index(engine->waiting, 0));
    g_assert_cmpmem(engine->out.data, 13, "\0\0\0\x0d\x66\0\0\0\x09\0\0\0\x04", 13);
    g_assert_cmpuint(engine->out.len, ==, 17);
    memcpy(wire, engine->out.data + 13, 4);
    ly_buf_clear(&engine->out);
}

/* What every session begins with. */
static void test_init(void)
{
    static const struct {
        const char *bytes;
        size_t len;
        bool right;
    } cases[] = {
        {"\0\0\0\x05\x01\0\0\0\x03", 9, true},
        {"\0\0\0\x05\x01\0\0\0\x63", 9, true},
        {"\0\0\0\x0e\x01\0\0\0\x03\0\0\0\x01x\0\0\0\0", 18, true},
        {"\0\0\0\x05\x01\0\0\0\x02", 9, false},
        {"\0\0\0\x05\x01\0\0\0\0", 9, false},
        {"\0\0\0\x04\x01\0\0\0", 8, false},
        {"\0\0\0\x01\x01", 5, false},
        {"\0\0\0\0", 4, false},
        {"\0\4\0\1", 4, false},
        {"\xff\xff\xff\xff", 4, false},
        {"GET / HTTP/1.0", 14, false},
        {"\0\0\0\x0a\x11\0\0\0\x01\0\0\0\x01/", 14, false},              /* STAT before INIT */
        {"\0\0\0\x05\x01\0\0\0\x03\0\0\0\x05\x01\0\0\0\x03", 18, false}, /* INIT again */
        {"\0\0\0\x05\x01\0\0\0\x03\0\0\0\x01\x11", 14, false},           /* no id */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (size_t chunk = 1; chunk < 19; chunk += 17) {
            Engine *engine = engine_new((LySftpServerOptions){0}, chunk == 1, false);
            bool right = true;
            for (size_t at = 0; at < cases[i].len; at += chunk)
                right =
                    give(engine, ly_bytes_slice(ly_bytes(cases[i].bytes, cases[i].len), at, chunk)) && right;
            if (right != cases[i].right)
                g_error("case %zu", i);
            g_assert_cmpint(engine->requests, ==, 0);
            engine_free(engine);
        }
    }
}

static uint8_t type_of(const LyBuf *packet)
{
    return packet->data[4];
}

/* Every packet of the client, cut at every length and with every bit flipped: one answer, or the end of the
 * session. */
static void test_damaged_requests(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(requests); i++) {
        LyBuf packet = unhex(requests[i].hex);
        for (size_t len = 9; len < packet.len; len++) {
            Engine *engine = plain_engine();
            LyBuf body = {0};
            ly_buf_add(&body, ly_bytes(packet.data + 9, len - 9));
            uint32_t status = ask_status(engine, type_of(&packet), ly_buf_bytes(&body));
            bool open_ended =
                strcmp(requests[i].name, "extended") == 0 || strcmp(requests[i].name, "users-groups") == 0;
            if (!open_ended && status != SSH_FX_BAD_MESSAGE && status != SSH_FX_FAILURE)
                g_error("%s cut to %zu bytes: status %u", requests[i].name, len, status);
            if (!open_ended)
                g_assert_cmpint(engine->requests, ==, 0);
            ly_buf_free(&body);
            engine_free(engine);
        }
        Engine *engine = plain_engine();
        for (size_t bit = 32; bit < packet.len * 8; bit++) {
            packet.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (type_of(&packet) != SSH_FXP_INIT) {
                g_assert_true(give(engine, ly_buf_bytes(&packet)));
                LyReader reader = ly_reader(ly_buf_bytes(&engine->out));
                LyReader reply = ly_reader(ly_get_string(&reader));
                g_assert_true(ly_reader_done(&reader));
                ly_get_u8(&reply);
                g_assert_cmpuint(ly_get_u32(&reply), ==, ly_load_u32(packet.data + 5));
                ly_buf_clear(&engine->out);
            }
            packet.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        g_assert_cmpuint(ly_sftp_server_outstanding(engine->server), ==, 0);
        engine_free(engine);
        ly_buf_free(&packet);
    }
}

static void test_unknown(void)
{
    Engine *engine = plain_engine();
    for (unsigned type = 0; type < 256; type++)
        if (type != SSH_FXP_INIT && (type < SSH_FXP_OPEN || type > SSH_FXP_SYMLINK) &&
            type != SSH_FXP_EXTENDED)
            g_assert_cmpuint(ask_status(engine, (uint8_t)type, LY_BYTES("abc")), ==, SSH_FX_OP_UNSUPPORTED);
    g_assert_cmpint(engine->requests, ==, 0);
    /* An extension that the table does not know is the backend's. */
    g_assert_cmpuint(ask_status(engine, SSH_FXP_EXTENDED, LY_BYTES("\0\0\0\x03x@ydata")), ==, SSH_FX_OK);
    g_assert_cmpint(engine->last.extension, ==, -1);
    g_assert_cmpstr(engine->extension, ==, "x@y");
    g_assert_cmpuint(ask_status(engine, SSH_FXP_EXTENDED, LY_BYTES("\0\0\0\x09x@y")), ==, SSH_FX_BAD_MESSAGE);
    engine_free(engine);
    engine = engine_new((LySftpServerOptions){.read_only = true}, false, true);
    g_assert_cmpuint(ask_status(engine, SSH_FXP_EXTENDED, LY_BYTES("\0\0\0\x03x@ydata")), ==,
                     SSH_FX_OP_UNSUPPORTED);
    g_assert_cmpuint(ask_status(engine, SSH_FXP_REMOVE, LY_BYTES("\0\0\0\x01x")), ==,
                     SSH_FX_PERMISSION_DENIED);
    g_assert_cmpint(engine->requests, ==, 0);
    engine_free(engine);
}

static void test_handles(void)
{
    Engine *engine = plain_engine();
    uint8_t file[4], directory[4];
    open_handle(engine, SSH_FXP_OPEN, file);
    open_handle(engine, SSH_FXP_OPENDIR, directory);
    struct {
        LyBytes handle;
        bool file, directory;
    } cases[] = {
        {ly_bytes(file, 4), true, false},
        {ly_bytes(directory, 4), false, true},
        {ly_bytes(file, 3), false, false},
        {(LyBytes){0}, false, false},
        {LY_BYTES("\xff\xff\xff\xff"), false, false},
        {ly_bytes(g_malloc0(200000), 200000), false, false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        LyBuf body = {0};
        ly_put_string(&body, cases[i].handle);
        g_assert_cmpuint(ask_status(engine, SSH_FXP_FSTAT, ly_buf_bytes(&body)), ==,
                         cases[i].file ? SSH_FX_OK : SSH_FX_FAILURE);
        g_assert_cmpuint(ask_status(engine, SSH_FXP_READDIR, ly_buf_bytes(&body)), ==,
                         cases[i].directory ? SSH_FX_OK : SSH_FX_FAILURE);
        bool any = cases[i].file || cases[i].directory;
        g_assert_cmpuint(ask_status(engine, SSH_FXP_CLOSE, ly_buf_bytes(&body)), ==,
                         any ? SSH_FX_OK : SSH_FX_FAILURE);
        g_assert_cmpuint(ask_status(engine, SSH_FXP_CLOSE, ly_buf_bytes(&body)), ==, SSH_FX_FAILURE);
        g_assert_cmpuint(ask_status(engine, SSH_FXP_FSTAT, ly_buf_bytes(&body)), ==, SSH_FX_FAILURE);
        ly_buf_free(&body);
    }
    g_assert_cmpint(engine->closes, ==, 2);
    /* A new handle in the old one's place is another handle. */
    uint8_t again[4];
    open_handle(engine, SSH_FXP_OPEN, again);
    g_assert_true(memcmp(again, file, 4) != 0 && memcmp(again, directory, 4) != 0);
    g_free((void *)cases[5].handle.data);
    engine_free(engine);
}

static void test_lengths(void)
{
    Engine *engine = plain_engine();
    uint8_t file[4];
    open_handle(engine, SSH_FXP_OPEN, file);
    LyBuf body = {0};
    ly_put_string(&body, ly_bytes(file, 4));
    ly_put_u64(&body, UINT64_C(1) << 63);
    ly_put_u32(&body, UINT32_MAX);
    LyBuf packet = packet_of(SSH_FXP_READ, 1, ly_buf_bytes(&body));
    g_assert_true(give(engine, ly_buf_bytes(&packet)));
    g_assert_cmpuint(engine->last.len, ==, 261120);
    g_assert_cmpuint(engine->last.offset, ==, UINT64_C(1) << 63);
    g_assert_cmpuint(engine->out.len, ==, 13 + 261120);
    g_assert_cmpmem(engine->out.data, 13, "\0\3\xfc\x09\x67\0\0\0\1\0\3\xfc\0", 13);
    ly_buf_clear(&engine->out);
    ly_buf_free(&packet);
    /* WRITE that claims more than there is. */
    g_assert_cmpuint(ask_status(engine, SSH_FXP_WRITE, ly_buf_bytes(&body)), ==, SSH_FX_BAD_MESSAGE);
    ly_buf_free(&body);
    /* Paths: 64 KiB are taken, more and a NUL are not. */
    char *path = g_strnfill(200000, 'a');
    ly_put_string(&body, ly_bytes(path, LY_SFTP_PATH_MAX));
    g_assert_cmpuint(ask_status(engine, SSH_FXP_STAT, ly_buf_bytes(&body)), ==, SSH_FX_OK);
    ly_buf_clear(&body);
    ly_put_string(&body, ly_bytes(path, LY_SFTP_PATH_MAX + 1));
    g_assert_cmpuint(ask_status(engine, SSH_FXP_STAT, ly_buf_bytes(&body)), ==, SSH_FX_BAD_MESSAGE);
    ly_buf_clear(&body);
    ly_put_cstring(&body, path);
    g_assert_cmpuint(ask_status(engine, SSH_FXP_STAT, ly_buf_bytes(&body)), ==, SSH_FX_BAD_MESSAGE);
    g_assert_cmpuint(ask_status(engine, SSH_FXP_STAT,
                                LY_BYTES("\0\0\0\x03"
                                         "a\0b")),
                     ==, SSH_FX_BAD_MESSAGE);
    g_assert_cmpuint(ask_status(engine, SSH_FXP_RENAME,
                                LY_BYTES("\0\0\0\x01"
                                         "a\0\0\0\x02"
                                         "b\0")),
                     ==, SSH_FX_BAD_MESSAGE);
    g_free(path);
    ly_buf_free(&body);
    /* 2^32-1 extended attributes. */
    g_assert_cmpuint(ask_status(engine, SSH_FXP_MKDIR,
                                LY_BYTES("\0\0\0\x01"
                                         "a\x80\0\0\0\xff\xff\xff\xff")),
                     ==, SSH_FX_BAD_MESSAGE);
    /* Fields behind the last known one are passed over. */
    g_assert_cmpuint(ask_status(engine, SSH_FXP_REMOVE,
                                LY_BYTES("\0\0\0\x01"
                                         "a more")),
                     ==, SSH_FX_OK);
    engine_free(engine);
}

static void test_symlink_order(void)
{
    for (int openssh = 0; openssh < 2; openssh++) {
        Engine *engine = engine_new((LySftpServerOptions){.symlink_openssh_order = openssh}, true, true);
        LyBuf packet = packet_of(SSH_FXP_SYMLINK, 1,
                                 LY_BYTES("\0\0\0\x01"
                                          "1\0\0\0\x01"
                                          "2"));
        g_assert_true(give(engine, ly_buf_bytes(&packet)));
        ly_buf_free(&packet);
        g_assert_true(ly_bytes_is(engine->last.path, openssh ? "2" : "1"));
        g_assert_true(ly_bytes_is(engine->last.path2, openssh ? "1" : "2"));
        engine_free(engine);
    }
}

static void test_lists(void)
{
    Engine *engine = engine_new((LySftpServerOptions){.denied_requests = "stat,posix-rename"}, false, true);
    g_assert_cmpuint(ask_status(engine, SSH_FXP_STAT, LY_BYTES("\0\0\0\x01/")), ==, SSH_FX_PERMISSION_DENIED);
    g_assert_cmpuint(ask_status(engine, SSH_FXP_LSTAT, LY_BYTES("\0\0\0\x01/")), ==, SSH_FX_OK);
    engine_free(engine);
    engine = engine_new((LySftpServerOptions){.allowed_requests = "stat,lstat", .denied_requests = "lstat"},
                        false, true);
    g_assert_cmpuint(ask_status(engine, SSH_FXP_STAT, LY_BYTES("\0\0\0\x01/")), ==, SSH_FX_OK);
    g_assert_cmpuint(ask_status(engine, SSH_FXP_LSTAT, LY_BYTES("\0\0\0\x01/")), ==,
                     SSH_FX_PERMISSION_DENIED);
    g_assert_cmpuint(ask_status(engine, SSH_FXP_REMOVE, LY_BYTES("\0\0\0\x01/")), ==,
                     SSH_FX_PERMISSION_DENIED);
    g_assert_cmpuint(ask_status(engine, SSH_FXP_EXTENDED, LY_BYTES("\0\0\0\x03x@y")), ==,
                     SSH_FX_OP_UNSUPPORTED);
    g_assert_cmpint(engine->requests, ==, 1);
    engine_free(engine);
    LyBuf names = {0};
    ly_sftp_request_names(&names);
    g_assert_true(g_str_has_prefix(ly_buf_str(&names), "open\nclose\nread\nwrite\nlstat\n"));
    g_assert_true(g_str_has_suffix(ly_buf_str(&names), "\nhome-directory\nusers-groups-by-id\n"));
    ly_buf_free(&names);
}

static void test_many_handles(void)
{
    Engine *engine = plain_engine();
    uint8_t wire[4];
    for (int i = 0; i < 1024; i++)
        open_handle(engine, SSH_FXP_OPEN, wire);
    for (int i = 0; i < 4000; i++)
        g_assert_cmpuint(ask_status(engine, SSH_FXP_OPEN, LY_BYTES("\0\0\0\x01/\0\0\0\x01\0\0\0\0")), ==,
                         SSH_FX_FAILURE);
    LyBuf body = {0};
    ly_put_string(&body, ly_bytes(wire, 4));
    g_assert_cmpuint(ask_status(engine, SSH_FXP_CLOSE, ly_buf_bytes(&body)), ==, SSH_FX_OK);
    ly_buf_free(&body);
    open_handle(engine, SSH_FXP_OPEN, wire);
    g_assert_cmpint(engine->closes, ==, 1);
    ly_sftp_server_free(engine->server);
    g_assert_cmpint(engine->closes, ==, 1025);
    engine->server = NULL;
    engine_free(engine);
}

/* 2000 requests at once to a backend that answers later and backwards: taken 256 at a time, each answered
 * once, and what was in a packet is still there when it is answered. */
static void test_later(void)
{
    Engine *engine = engine_new((LySftpServerOptions){0}, true, true);
    LyBuf input = {0};
    enum { COUNT = 2000 };
    for (uint32_t id = 0; id < COUNT; id++) {
        size_t mark = packet_begin(&input, SSH_FXP_STAT, id);
        char path[16];
        g_snprintf(path, sizeof path, "path-%u", id);
        ly_put_cstring(&input, path);
        ly_put_string_end(&input, mark);
    }
    size_t used = 0;
    while (used < input.len) {
        size_t taken;
        g_assert_true(ly_sftp_server_receive(engine->server, ly_bytes(input.data + used, input.len - used),
                                             &taken, NULL));
        g_assert_cmpuint(taken, >, 0);
        used += taken;
        g_assert_cmpuint(engine->waiting->len, <=, 256);
        g_assert_true(engine->waiting->len == 256 || used == input.len);
        g_assert_cmpuint(ly_sftp_server_outstanding(engine->server), ==, engine->waiting->len);
        while (engine->waiting->len) {
            LySftpRequest *request = g_ptr_array_steal_index(engine->waiting, engine->waiting->len - 1);
            char path[16];
            g_snprintf(path, sizeof path, "path-%u", request->id);
            g_assert_true(ly_bytes_is(request->path, path));
            ly_sftp_reply_status(request, SSH_FX_OK, NULL);
        }
    }
    bool seen[COUNT] = {false};
    LyReader reader = ly_reader(ly_buf_bytes(&engine->out));
    for (int i = 0; i < COUNT; i++) {
        LyReader reply = ly_reader(ly_get_string(&reader));
        ly_get_u8(&reply);
        uint32_t id = ly_get_u32(&reply);
        g_assert_true(id < COUNT && !seen[id]);
        seen[id] = true;
    }
    g_assert_true(ly_reader_done(&reader));
    ly_buf_free(&input);
    engine_free(engine);
}

/* CLOSE waits for the requests on its handle, and nobody else finds the handle meanwhile. */
static void test_close_waits(void)
{
    Engine *engine = engine_new((LySftpServerOptions){0}, true, true);
    uint8_t wire[4];
    for (int ending = 0; ending < 2; ending++) {
        open_handle(engine, SSH_FXP_OPEN, wire);
        LyBuf body = {0};
        ly_put_string(&body, ly_bytes(wire, 4));
        LyBuf fstat = packet_of(SSH_FXP_FSTAT, 21, ly_buf_bytes(&body)),
              close = packet_of(SSH_FXP_CLOSE, 22, ly_buf_bytes(&body));
        g_assert_true(give(engine, ly_buf_bytes(&fstat)));
        g_assert_true(give(engine, ly_buf_bytes(&close)));
        g_assert_cmpint(engine->closes, ==, ending);
        g_assert_cmpuint(engine->waiting->len, ==, 1);
        g_assert_cmpuint(ask_status(engine, SSH_FXP_FSTAT, ly_buf_bytes(&body)), ==, SSH_FX_FAILURE);
        if (ending == 0) {
            ly_sftp_reply_status(g_ptr_array_steal_index(engine->waiting, 0), SSH_FX_OK, NULL);
            g_assert_cmpint(engine->closes, ==, 1);
            g_assert_cmpuint(ly_sftp_server_outstanding(engine->server), ==, 0);
            ly_buf_clear(&engine->out);
        }
        ly_buf_free(&body);
        ly_buf_free(&fstat);
        ly_buf_free(&close);
    }
    /* The session ends while both are open: the one is cancelled, the handle closed. */
    ly_sftp_server_free(engine->server);
    engine->server = NULL;
    g_assert_cmpint(engine->cancels, ==, 1);
    g_assert_cmpint(engine->closes, ==, 2);
    engine_free(engine);
}

/* A client that does not read its answers: the server stops taking requests when some 64 KiB wait. */
static void test_backlog(void)
{
    Engine *engine = plain_engine();
    uint8_t wire[4];
    open_handle(engine, SSH_FXP_OPEN, wire);
    engine->room = 5;
    LyBuf body = {0}, input = {0};
    ly_put_string(&body, ly_bytes(wire, 4));
    ly_put_u64(&body, 0);
    ly_put_u32(&body, 200000);
    enum { COUNT = 40 };
    for (uint32_t id = 0; id < COUNT; id++) {
        LyBuf packet = packet_of(SSH_FXP_READ, id, ly_buf_bytes(&body));
        ly_buf_add(&input, ly_buf_bytes(&packet));
        ly_buf_free(&packet);
    }
    size_t used = 0, taken;
    g_assert_true(ly_sftp_server_receive(engine->server, ly_buf_bytes(&input), &used, NULL));
    g_assert_cmpuint(used, <, input.len);
    g_assert_cmpuint(ly_sftp_server_pending_len(engine->server), <, (64 << 10) + 200100);
    g_assert_true(
        ly_sftp_server_receive(engine->server, ly_bytes(input.data + used, input.len - used), &taken, NULL));
    g_assert_cmpuint(taken, ==, 0);
    engine->room = 1000000;
    while (used < input.len || ly_sftp_server_pending_len(engine->server)) {
        ly_sftp_server_flush(engine->server);
        g_assert_true(ly_sftp_server_receive(engine->server, ly_bytes(input.data + used, input.len - used),
                                             &taken, NULL));
        used += taken;
    }
    LyReader reader = ly_reader(ly_buf_bytes(&engine->out));
    for (uint32_t id = 0; id < COUNT; id++) {
        LyReader reply = ly_reader(ly_get_string(&reader));
        g_assert_cmpuint(ly_get_u8(&reply), ==, SSH_FXP_DATA);
        g_assert_cmpuint(ly_get_u32(&reply), ==, id);
        g_assert_cmpuint(ly_get_string(&reply).len, ==, 200000);
        g_assert_true(ly_reader_done(&reply));
    }
    g_assert_true(ly_reader_done(&reader));
    ly_buf_free(&body);
    ly_buf_free(&input);
    engine_free(engine);
}

/* A first entry larger than what a listing's packet is kept to leaves no room for a second one. */
static void test_long_name_first(void)
{
    Engine *engine = engine_new((LySftpServerOptions){0}, true, true);
    static const LySftpAttrs none;
    char *name = g_strnfill(100000, 'n');
    LyBuf packet = packet_of(SSH_FXP_REALPATH, 5, LY_BYTES("\0\0\0\1."));
    g_assert_true(give(engine, ly_buf_bytes(&packet)));
    LySftpRequest *request = g_ptr_array_steal_index(engine->waiting, 0);
    ly_sftp_reply_names_begin(request);
    g_assert_true(ly_sftp_reply_names_add(request, ly_bytes_str(name), (LyBytes){0}, &none));
    g_assert_false(ly_sftp_reply_names_add(request, LY_BYTES("x"), (LyBytes){0}, &none));
    ly_sftp_reply_names_end(request);
    LyReader reader = ly_reader(ly_buf_bytes(&engine->out));
    LyReader reply = ly_reader(ly_get_string(&reader));
    g_assert_cmpuint(ly_get_u8(&reply), ==, SSH_FXP_NAME);
    ly_get_u32(&reply);
    g_assert_cmpuint(ly_get_u32(&reply), ==, 1);
    g_assert_cmpuint(ly_get_string(&reply).len, ==, 100000);
    g_free(name);
    ly_buf_free(&packet);
    engine_free(engine);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sftp-server/init", test_init);
    g_test_add_func("/sftp-server/damaged-requests", test_damaged_requests);
    g_test_add_func("/sftp-server/unknown", test_unknown);
    g_test_add_func("/sftp-server/handles", test_handles);
    g_test_add_func("/sftp-server/lengths", test_lengths);
    g_test_add_func("/sftp-server/symlink-order", test_symlink_order);
    g_test_add_func("/sftp-server/lists", test_lists);
    g_test_add_func("/sftp-server/many-handles", test_many_handles);
    g_test_add_func("/sftp-server/later", test_later);
    g_test_add_func("/sftp-server/close-waits", test_close_waits);
    g_test_add_func("/sftp-server/long-name-first", test_long_name_first);
    g_test_add_func("/sftp-server/backlog", test_backlog);
    return g_test_run();
}
