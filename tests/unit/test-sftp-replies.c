/* core/sftp: the replies to the client: right ones in pieces, damaged ones, and those of hostile servers. */
#include "sftp-script.h"

/* Every reply, in pieces; the ids are slots + 1, and in order while nothing is answered. */

typedef struct Script {
    Ask *ask;
    void (*put)(LyBuf *buf, uint32_t id);
    LySftpReplyType type;
    uint32_t status;
} Script;

static void put_eof(LyBuf *buf, uint32_t id)
{
    put_status(buf, id, SSH_FX_EOF, NULL);
}
static void put_handle(LyBuf *buf, uint32_t id)
{
    put_string_reply(buf, SSH_FXP_HANDLE, id, LY_BYTES("handle"));
}
static void put_no_data(LyBuf *buf, uint32_t id)
{
    put_string_reply(buf, SSH_FXP_DATA, id, (LyBytes){0});
}
static void put_one_name(LyBuf *buf, uint32_t id)
{
    put_names(buf, id, 1, (const char *const[]){"one"}, 1);
}
static void put_three_names(LyBuf *buf, uint32_t id)
{
    put_names(buf, id, 3, (const char *const[]){"..", "a/b", ""}, 3);
}
static void put_zero_names(LyBuf *buf, uint32_t id)
{
    put_names(buf, id, 0, NULL, 0);
}
static void put_payload(LyBuf *buf, uint32_t id)
{
    put_extended(buf, id, LY_BYTES("payload"));
}

static const Script scripts[] = {
    {ask_read, put_data, LY_SFTP_REPLY_DATA, SSH_FX_OK},
    {ask_close, put_ok, LY_SFTP_REPLY_STATUS, SSH_FX_OK},
    {ask_open_no_attrs, put_handle, LY_SFTP_REPLY_HANDLE, SSH_FX_OK},
    {ask_readdir, put_three_names, LY_SFTP_REPLY_NAME, SSH_FX_OK},
    {ask_realpath, put_one_name, LY_SFTP_REPLY_NAME, SSH_FX_OK},
    {ask_stat, put_attrs_reply, LY_SFTP_REPLY_ATTRS, SSH_FX_OK},
    {ask_statvfs, put_payload, LY_SFTP_REPLY_EXTENDED, SSH_FX_OK},
    {ask_read, put_eof, LY_SFTP_REPLY_STATUS, SSH_FX_EOF},
    {ask_readdir, put_eof, LY_SFTP_REPLY_STATUS, SSH_FX_EOF},
    {ask_readdir, put_zero_names, LY_SFTP_REPLY_NAME, SSH_FX_OK},
    {ask_read, put_no_data, LY_SFTP_REPLY_DATA, SSH_FX_OK},
    {ask_extended, put_ok, LY_SFTP_REPLY_STATUS, SSH_FX_OK},
    {ask_extended, put_payload, LY_SFTP_REPLY_EXTENDED, SSH_FX_OK},
};

static void submit_all(Fixture *fixture)
{
    for (size_t i = 0; i < G_N_ELEMENTS(scripts); i++)
        scripts[i].ask(fixture->client, fixture->buffer + 16 * i, &fixture->record[i]);
}

/* VERSION, limits (id 1), then the replies, backwards: out of order is legal. */
static void put_session(LyBuf *buf)
{
    put_version(buf, 3, true);
    put_limits(buf, 1, 262144, 261120, 200000, 100);
    for (size_t i = G_N_ELEMENTS(scripts); i > 0; i--)
        scripts[i - 1].put(buf, (uint32_t)i + 1);
}

/* The requests are sent when VERSION has come, behind limits@, whatever the pieces are. */
static bool play(Fixture *fixture, LyBytes bytes, size_t version_len, size_t chunk)
{
    bool right = feed(fixture, ly_bytes_slice(bytes, 0, version_len), chunk);
    submit_all(fixture);
    return feed(fixture, ly_bytes_slice(bytes, version_len, bytes.len), chunk) && right;
}

static size_t version_len(void)
{
    LyBuf buf = {0};
    put_version(&buf, 3, true);
    size_t len = buf.len;
    ly_buf_free(&buf);
    return len;
}

static void test_replies(void)
{
    static const size_t chunks[] = {1, 7, SIZE_MAX / 2};
    LyBuf buf = {0};
    put_session(&buf);
    for (size_t c = 0; c < G_N_ELEMENTS(chunks); c++) {
        Fixture *fixture = fixture_new(true);
        g_assert_true(play(fixture, ly_buf_bytes(&buf), version_len(), chunks[c]));
        g_assert_cmpint(fixture->ready.calls, ==, 1);
        g_assert_cmpuint(fixture->ready.status, ==, SSH_FX_OK);
        const LySftpLimits *limits = ly_sftp_client_limits(fixture->client);
        g_assert_true(limits->max_packet == 262144 && limits->max_read == 261120 &&
                      limits->max_write == 200000 && limits->max_handles == 100);
        g_assert_true(ly_sftp_client_has(fixture->client, LY_SFTP_EXTENSION_STATVFS));
        g_assert_true(ly_sftp_client_has(fixture->client, LY_SFTP_EXTENSION_LIMITS));
        g_assert_false(ly_sftp_client_has(fixture->client, LY_SFTP_EXTENSION_FSYNC));
        g_assert_false(ly_sftp_client_has(fixture->client, LY_SFTP_EXTENSION_COPY_DATA));
        for (size_t i = 0; i < G_N_ELEMENTS(scripts); i++) {
            g_assert_cmpint(fixture->record[i].calls, ==, 1);
            g_assert_cmpint(fixture->record[i].type, ==, scripts[i].type);
            g_assert_cmpuint(fixture->record[i].status, ==, scripts[i].status);
        }
        g_assert_cmpmem(fixture->buffer, fixture->record[0].data_len, "hello", 5);
        g_assert_cmpstr(fixture->record[1].message, ==, "fine");
        g_assert_cmpstr(fixture->record[2].handle, ==, "handle");
        g_assert_cmpuint(fixture->record[3].name_count, ==, 3);
        g_assert_cmpstr(fixture->record[3].first_name, ==, "..");
        g_assert_cmpstr(fixture->record[4].first_name, ==, "one");
        g_assert_true(fixture->record[5].attrs.flags == SSH_FILEXFER_ATTR_SIZE);
        g_assert_true(fixture->record[5].attrs.size == UINT64_MAX);
        g_assert_cmpstr(fixture->record[6].extended, ==, "payload");
        g_assert_cmpuint(ly_sftp_client_outstanding(fixture->client), ==, 0);
        fixture_free(fixture);
    }
    ly_buf_free(&buf);
}

static void assert_all_called_once(const Fixture *fixture, bool submitted_all)
{
    g_assert_cmpint(fixture->ready.calls, ==, 1);
    for (size_t i = 0; i < G_N_ELEMENTS(scripts); i++) {
        if (submitted_all)
            g_assert_cmpint(fixture->record[i].calls, ==, 1);
        else
            g_assert_cmpint(fixture->record[i].calls, <=, 1);
    }
}

/* Whatever comes or does not come, every completion is called exactly once. */
static void test_damaged_replies(void)
{
    LyBuf buf = {0};
    put_session(&buf);
    for (size_t len = 0; len < buf.len; len++) {
        Fixture *fixture = fixture_new(true);
        g_assert_true(play(fixture, ly_bytes(buf.data, len), version_len(), SIZE_MAX / 2));
        ly_sftp_client_closed(fixture->client);
        assert_all_called_once(fixture, true);
        g_assert_cmpint(fixture->record[0].status, ==, SSH_FX_CONNECTION_LOST); /* answered last */
        g_assert_cmpuint(ly_sftp_client_outstanding(fixture->client), ==, 0);
        g_assert_cmpuint(ly_sftp_stat(fixture->client, P, done, NULL), ==, 0);
        fixture_free(fixture);
    }
    for (size_t bit = 0; bit < buf.len * 8; bit++) {
        Fixture *fixture = fixture_new(true);
        buf.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        bool right = play(fixture, ly_buf_bytes(&buf), version_len(), bit % 3 ? SIZE_MAX / 2 : 7);
        buf.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (!right)
            g_assert_cmpuint(ly_sftp_client_outstanding(fixture->client), ==, 0);
        ly_sftp_client_closed(fixture->client);
        assert_all_called_once(fixture, bit / 8 >= version_len());
        fixture_free(fixture);
    }
    ly_buf_free(&buf);
}

/* Hostile servers: what the request gets; the session ends, other requests get CONNECTION_LOST. */

static void put_unknown_id(LyBuf *buf, uint32_t id)
{
    put_status(buf, id + 77, SSH_FX_OK, "");
}
static void put_id_zero(LyBuf *buf, uint32_t id)
{
    put_status(buf, 0, SSH_FX_OK, "");
}
static void put_twice(LyBuf *buf, uint32_t id)
{
    put_ok(buf, id);
    put_ok(buf, id);
}
static void put_data_for_unknown(LyBuf *buf, uint32_t id)
{
    put_data(buf, id + 5);
}
static void put_long_data(LyBuf *buf, uint32_t id)
{
    put_string_reply(buf, SSH_FXP_DATA, id, LY_BYTES("longer"));
}
static void put_data_len_beyond(LyBuf *buf, uint32_t id)
{
    size_t mark = packet_begin(buf, SSH_FXP_DATA, id);
    ly_put_u32(buf, 5);
    ly_buf_add_str(buf, "hi");
    ly_put_string_end(buf, mark);
}
static void put_data_tail(LyBuf *buf, uint32_t id)
{
    size_t mark = packet_begin(buf, SSH_FXP_DATA, id);
    ly_put_cstring(buf, "hi");
    ly_buf_add_str(buf, "more");
    ly_put_string_end(buf, mark);
}
static void put_data_cut(LyBuf *buf, uint32_t id)
{
    size_t mark = packet_begin(buf, SSH_FXP_DATA, id);
    ly_buf_add_str(buf, "\1\1");
    ly_put_string_end(buf, mark);
}
static void put_empty_handle(LyBuf *buf, uint32_t id)
{
    put_string_reply(buf, SSH_FXP_HANDLE, id, (LyBytes){0});
}
static void put_long_handle(LyBuf *buf, uint32_t id)
{
    static const uint8_t handle[257];
    put_string_reply(buf, SSH_FXP_HANDLE, id, ly_bytes(handle, sizeof handle));
}
static void put_many_names(LyBuf *buf, uint32_t id)
{
    put_names(buf, id, UINT32_MAX, (const char *const[]){"one"}, 1);
}
static void put_name_more(LyBuf *buf, uint32_t id)
{
    put_names(buf, id, 1, (const char *const[]){"one", "two"}, 2);
}
static void put_two_names(LyBuf *buf, uint32_t id)
{
    put_names(buf, id, 2, (const char *const[]){"one", "two"}, 2);
}
static void put_attrs_endless(LyBuf *buf, uint32_t id)
{
    size_t mark = packet_begin(buf, SSH_FXP_ATTRS, id);
    ly_put_u32(buf, SSH_FILEXFER_ATTR_EXTENDED);
    ly_put_u32(buf, UINT32_MAX);
    ly_put_string_end(buf, mark);
}
static void put_attrs_cut(LyBuf *buf, uint32_t id)
{
    size_t mark = packet_begin(buf, SSH_FXP_ATTRS, id);
    ly_put_u32(buf, 15);
    ly_put_u32(buf, 0);
    ly_put_string_end(buf, mark);
}
static void put_version_again(LyBuf *buf, uint32_t id)
{
    put_version(buf, 3, false);
}
static void put_length_0(LyBuf *buf, uint32_t id)
{
    ly_put_u32(buf, 0);
}
static void put_length_1(LyBuf *buf, uint32_t id)
{
    ly_put_u32(buf, 1);
    ly_put_u8(buf, SSH_FXP_STATUS);
}
static void put_length_huge(LyBuf *buf, uint32_t id)
{
    ly_put_u32(buf, 1u << 31);
}
static void put_length_over(LyBuf *buf, uint32_t id)
{
    ly_put_u32(buf, LY_SFTP_PACKET_MAX + 1025);
}
static void put_request(LyBuf *buf, uint32_t id)
{
    put_string_reply(buf, SSH_FXP_STAT, id, LY_BYTES("/"));
}

static const struct {
    const char *name;
    Ask *ask;
    void (*put)(LyBuf *buf, uint32_t id);
    uint32_t status; /* of the request that `put` answers */
} hostile[] = {
    {"unknown id", ask_close, put_unknown_id, SSH_FX_CONNECTION_LOST},
    {"id 0", ask_close, put_id_zero, SSH_FX_CONNECTION_LOST},
    {"answered twice", ask_close, put_twice, SSH_FX_OK},
    {"DATA for an unknown id", ask_read, put_data_for_unknown, SSH_FX_CONNECTION_LOST},
    {"DATA longer than asked", ask_read, put_long_data, SSH_FX_BAD_MESSAGE},
    {"DATA beyond the packet", ask_read, put_data_len_beyond, SSH_FX_BAD_MESSAGE},
    {"DATA with a tail", ask_read, put_data_tail, SSH_FX_BAD_MESSAGE},
    {"DATA cut short", ask_read, put_data_cut, SSH_FX_BAD_MESSAGE},
    {"DATA for a STAT", ask_stat, put_data, SSH_FX_BAD_MESSAGE},
    {"STATUS OK for a READ", ask_read, put_ok, SSH_FX_BAD_MESSAGE},
    {"HANDLE for a READ", ask_read, put_handle, SSH_FX_BAD_MESSAGE},
    {"STATUS OK for an OPEN", ask_open_attrs, put_ok, SSH_FX_BAD_MESSAGE},
    {"STATUS OK for a STAT", ask_stat, put_ok, SSH_FX_BAD_MESSAGE},
    {"ATTRS for a WRITE", ask_write, put_attrs_reply, SSH_FX_BAD_MESSAGE},
    {"an empty handle", ask_open_attrs, put_empty_handle, SSH_FX_BAD_MESSAGE},
    {"a handle of 257 bytes", ask_opendir, put_long_handle, SSH_FX_BAD_MESSAGE},
    {"2^32-1 names", ask_readdir, put_many_names, SSH_FX_BAD_MESSAGE},
    {"more names than counted", ask_readdir, put_name_more, SSH_FX_BAD_MESSAGE},
    {"READLINK with 2 names", ask_readlink, put_two_names, SSH_FX_BAD_MESSAGE},
    {"READLINK with none", ask_readlink, put_zero_names, SSH_FX_BAD_MESSAGE},
    {"REALPATH with none", ask_realpath, put_zero_names, SSH_FX_BAD_MESSAGE},
    {"2^32-1 extended attributes", ask_stat, put_attrs_endless, SSH_FX_BAD_MESSAGE},
    {"attributes cut short", ask_stat, put_attrs_cut, SSH_FX_BAD_MESSAGE},
    {"VERSION again", ask_close, put_version_again, SSH_FX_CONNECTION_LOST},
    {"length 0", ask_close, put_length_0, SSH_FX_CONNECTION_LOST},
    {"length 1", ask_close, put_length_1, SSH_FX_CONNECTION_LOST},
    {"length 2^31", ask_close, put_length_huge, SSH_FX_CONNECTION_LOST},
    {"length over the limit", ask_close, put_length_over, SSH_FX_CONNECTION_LOST},
    {"a request", ask_close, put_request, SSH_FX_BAD_MESSAGE},
};

static void test_hostile_replies(void)
{
    static const size_t chunks[] = {1, 7, SIZE_MAX / 2};
    for (size_t i = 0; i < G_N_ELEMENTS(hostile) * 3; i++) {
        Fixture *fixture = fixture_new(true);
        start(fixture);
        Record *record = &fixture->record[0], *other = &fixture->record[1];
        uint32_t id = hostile[i / 3].ask(fixture->client, fixture->buffer, record);
        ask_lstat(fixture->client, NULL, other);
        LyBuf buf = {0};
        hostile[i / 3].put(&buf, id);
        if (feed(fixture, ly_buf_bytes(&buf), chunks[i % 3]))
            g_error("%s: was taken", hostile[i / 3].name);
        if (record->status != hostile[i / 3].status || record->calls != 1)
            g_error("%s: status %u, %d calls", hostile[i / 3].name, record->status, record->calls);
        g_assert_cmpint(other->calls, ==, 1);
        g_assert_cmpuint(other->status, ==, SSH_FX_CONNECTION_LOST);
        g_assert_cmpuint(ly_sftp_stat(fixture->client, P, done, record), ==, 0);
        /* The error sticks, and nothing is called again. */
        LyBuf more = {0};
        put_ok(&more, id);
        g_assert_false(feed(fixture, ly_buf_bytes(&more), SIZE_MAX));
        g_assert_cmpint(record->calls, ==, 1);
        ly_buf_free(&more);
        ly_buf_free(&buf);
        fixture_free(fixture);
    }
}

static void assert_start_fails(LyBytes bytes, uint32_t status)
{
    Fixture *fixture = fixture_new(true);
    g_assert_false(feed(fixture, bytes, SIZE_MAX));
    g_assert_cmpint(fixture->ready.calls, ==, 1);
    g_assert_cmpuint(fixture->ready.status, ==, status);
    fixture_free(fixture);
}

static void test_hostile_version(void)
{
    static const uint32_t versions[] = {0, 2, 4, 99, UINT32_MAX};
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++) {
        LyBuf buf = {0};
        put_version(&buf, versions[i], false);
        assert_start_fails(ly_buf_bytes(&buf), SSH_FX_BAD_MESSAGE);
        ly_buf_free(&buf);
    }
    assert_start_fails(LY_BYTES("Welcome to the machine\n"), SSH_FX_BAD_MESSAGE);
    assert_start_fails(LY_BYTES("\0\0\0\0"), SSH_FX_BAD_MESSAGE);
    assert_start_fails(LY_BYTES("\0\0\0\x03\x02\0\0"), SSH_FX_BAD_MESSAGE);
    assert_start_fails(LY_BYTES("\0\0\0\x0a\x02\0\0\0\x03\0\0\0\x01x"), SSH_FX_BAD_MESSAGE);
    assert_start_fails(LY_BYTES("\0\0\0\x05\x65\0\0\0\x01"), SSH_FX_BAD_MESSAGE);
    LyError error;
    Fixture *fixture = fixture_new(true);
    g_assert_false(ly_sftp_client_receive(fixture->client, LY_BYTES("Welc"), &error));
    g_assert_nonnull(strstr(error.message, "Welc"));
    fixture_free(fixture);

    /* 15 000 extensions, as many as fit: read over. */
    LyBuf buf = {0};
    size_t mark = packet_begin(&buf, SSH_FXP_VERSION, 3);
    for (int i = 0; i < 15000; i++) {
        ly_put_cstring(&buf, "a@b");
        ly_put_cstring(&buf, "1");
    }
    ly_put_string_end(&buf, mark);
    fixture = fixture_new(true);
    g_assert_true(feed(fixture, ly_buf_bytes(&buf), 4096));
    g_assert_cmpuint(fixture->ready.status, ==, SSH_FX_OK);
    fixture_free(fixture);
    ly_buf_free(&buf);

    /* No VERSION. */
    fixture = fixture_new(true);
    ly_sftp_client_closed(fixture->client);
    g_assert_cmpint(fixture->ready.calls, ==, 1);
    g_assert_cmpuint(fixture->ready.status, ==, SSH_FX_CONNECTION_LOST);
    fixture_free(fixture);
}

static void test_limits(void)
{
    static const struct {
        uint64_t told, read, packet;
    } cases[] = {{0, 32768, 34000}, {1, 1024, 1024}, {UINT64_MAX, 261120, 262144}, {32768, 32768, 32768}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Fixture *fixture = fixture_new(true);
        LyBuf buf = {0};
        put_version(&buf, 3, true);
        g_assert_true(feed(fixture, ly_buf_bytes(&buf), SIZE_MAX));
        g_assert_cmpint(fixture->ready.calls, ==, 0);
        ly_buf_clear(&buf);
        put_limits(&buf, 1, cases[i].told, cases[i].told, cases[i].told, cases[i].told);
        g_assert_true(feed(fixture, ly_buf_bytes(&buf), SIZE_MAX));
        g_assert_cmpuint(fixture->ready.status, ==, SSH_FX_OK);
        g_assert_cmpint(fixture->ready.calls, ==, 1);
        const LySftpLimits *limits = ly_sftp_client_limits(fixture->client);
        g_assert_cmpuint(limits->max_read, ==, cases[i].read);
        g_assert_cmpuint(limits->max_write, ==, cases[i].read);
        g_assert_cmpuint(limits->max_packet, ==, cases[i].packet);
        ly_buf_free(&buf);
        fixture_free(fixture);
    }
    /* A refusal and a short answer leave the guesses. */
    for (int refused = 0; refused < 2; refused++) {
        Fixture *fixture = fixture_new(true);
        LyBuf buf = {0};
        put_version(&buf, 3, true);
        if (refused)
            put_status(&buf, 1, SSH_FX_PERMISSION_DENIED, "");
        else
            put_extended(&buf, 1, LY_BYTES("\0\0\0\0\0\4\0\0"));
        g_assert_true(feed(fixture, ly_buf_bytes(&buf), SIZE_MAX));
        g_assert_cmpuint(fixture->ready.status, ==, SSH_FX_OK);
        g_assert_cmpuint(ly_sftp_client_limits(fixture->client)->max_read, ==, 32768);
        ly_buf_free(&buf);
        fixture_free(fixture);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sftp-replies/replies", test_replies);
    g_test_add_func("/sftp-replies/damaged", test_damaged_replies);
    g_test_add_func("/sftp-replies/hostile", test_hostile_replies);
    g_test_add_func("/sftp-replies/hostile-version", test_hostile_version);
    g_test_add_func("/sftp-replies/limits", test_limits);
    return g_test_run();
}
