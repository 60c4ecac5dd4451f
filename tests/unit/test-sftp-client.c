/* core/sftp: the requests of the client, and what it keeps for a sink that is full. */
#include "sftp-script.h"

static void test_requests(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(requests); i++) {
        Fixture *fixture = fixture_new(false);
        start(fixture);
        Record *record = &fixture->record[0];
        g_assert_cmpuint(requests[i].ask(fixture->client, fixture->buffer, record), ==, 1);
        GString *hex = g_string_new(NULL);
        for (size_t at = 0; at < fixture->sent.len; at++)
            g_string_append_printf(hex, "%02x", fixture->sent.data[at]);
        if (strcmp(hex->str, requests[i].hex) != 0)
            g_error("%s: sent %s, not %s", requests[i].name, hex->str, requests[i].hex);
        g_string_free(hex, TRUE);
        g_assert_cmpuint(ly_sftp_client_outstanding(fixture->client), ==, 1);
        LyBuf buf = {0};
        put_status(&buf, 1, SSH_FX_PERMISSION_DENIED, "no");
        g_assert_true(feed(fixture, ly_buf_bytes(&buf), SIZE_MAX));
        g_assert_cmpint(record->calls, ==, 1);
        g_assert_cmpuint(record->status, ==, SSH_FX_PERMISSION_DENIED);
        g_assert_cmpstr(record->message, ==, "no");
        g_assert_cmpuint(ly_sftp_client_outstanding(fixture->client), ==, 0);
        ly_buf_free(&buf);
        fixture_free(fixture);
    }
    Fixture *fixture = fixture_new(true);
    ly_sftp_symlink(fixture->client, LY_BYTES("link"), LY_BYTES("target"), done, &fixture->record[0]);
    g_assert_cmpmem(fixture->sent.data + 9, fixture->sent.len - 9, "\0\0\0\x06target\0\0\0\x04link", 18);
    fixture_free(fixture);
}

static void test_cancel(void)
{
    Fixture *fixture = fixture_new(true);
    start(fixture);
    LySftpId stat = ask_stat(fixture->client, NULL, &fixture->record[0]);
    LySftpId read = ask_read(fixture->client, fixture->buffer, &fixture->record[1]);
    LySftpId last = ask_stat(fixture->client, NULL, &fixture->record[2]);
    LyBuf buf = {0};
    put_attrs_reply(&buf, stat);
    put_data(&buf, read);
    put_attrs_reply(&buf, last);
    ly_sftp_cancel(fixture->client, stat);
    ly_sftp_cancel(fixture->client, 0);
    ly_sftp_cancel(fixture->client, 4711);
    /* In the middle of its data: what came before stays, nothing more is written. */
    size_t middle = buf.len - 2 - (4 + 1 + 4 + 4 + 8 + 4 + 4 * 5);
    g_assert_true(feed(fixture, ly_bytes(buf.data, middle), SIZE_MAX));
    g_assert_cmpmem(fixture->buffer, 5, "hel\0\0", 5);
    ly_sftp_cancel(fixture->client, read);
    g_assert_true(feed(fixture, ly_bytes(buf.data + middle, buf.len - middle), SIZE_MAX));
    g_assert_cmpmem(fixture->buffer, 5, "hel\0\0", 5);
    g_assert_cmpint(fixture->record[0].calls, ==, 0);
    g_assert_cmpint(fixture->record[1].calls, ==, 0);
    g_assert_cmpint(fixture->record[2].calls, ==, 1);
    g_assert_cmpuint(ly_sftp_client_outstanding(fixture->client), ==, 0);
    ly_buf_free(&buf);
    fixture_free(fixture);
}

/* What the sink does not take waits in order, and the whole is the same however it was taken. */
static void test_pending(void)
{
    LyBuf whole = {0};
    for (size_t room = SIZE_MAX; room != 40; room++) { /* all, then 0, 1, ... bytes at once */
        Fixture *fixture = fixture_new(true);
        fixture->room = room;
        static uint8_t data[3000];
        for (size_t i = 0; i < sizeof data; i++)
            data[i] = (uint8_t)(i * 7);
        for (int i = 0; i < 5; i++) {
            uint8_t *copy = g_memdup2(data, sizeof data);
            ly_sftp_write(fixture->client, H, (uint64_t)i, ly_bytes(copy, sizeof data - (size_t)i), done,
                          &fixture->record[i]);
            memset(copy, 0xee, sizeof data);
            g_free(copy);
        }
        if (room == SIZE_MAX) {
            g_assert_cmpuint(ly_sftp_client_pending_len(fixture->client), ==, 0);
            ly_buf_add(&whole, ly_buf_bytes(&fixture->sent));
        } else {
            g_assert_cmpuint(ly_sftp_client_pending_len(fixture->client), ==, whole.len - room);
        }
        for (size_t more = room % 2 ? 700 : 1; ly_sftp_client_pending_len(fixture->client); more += 13) {
            fixture->room = more;
            ly_sftp_client_flush(fixture->client);
        }
        g_assert_cmpmem(fixture->sent.data, fixture->sent.len, whole.data, whole.len);
        fixture_free(fixture);
    }
    ly_buf_free(&whole);
}

static void test_refusals(void)
{
    Fixture *fixture = g_new0(Fixture, 1);
    LySftpClientOptions options = {.sink = {sink_write, fixture}, .max_requests = 3};
    fixture->client = ly_sftp_client_new(&options, done, &fixture->ready);
    start(fixture);
    static uint8_t big[LY_SFTP_PACKET_MAX + 1];
    LySftpClient *client = fixture->client;
    Record *record = &fixture->record[0];
    g_assert_cmpuint(ly_sftp_stat(client, ly_bytes(big, LY_SFTP_PATH_MAX + 1), done, record), ==, 0);
    g_assert_cmpuint(ly_sftp_close(client, ly_bytes(big, 257), done, record), ==, 0);
    g_assert_cmpuint(ly_sftp_close(client, (LyBytes){0}, done, record), ==, 0);
    g_assert_cmpuint(ly_sftp_write(client, H, 0, ly_bytes(big, sizeof big), done, record), ==, 0);
    g_assert_cmpuint(ly_sftp_write(client, H, 0, ly_bytes(big, LY_SFTP_PACKET_MAX), done, record), ==, 0);
    g_assert_cmpuint(ly_sftp_client_outstanding(client), ==, 0);
    g_assert_cmpuint(ly_sftp_write(client, ly_bytes(big, 256), 0, ly_bytes(big, 261120), done, record), !=,
                     0);
    g_assert_cmpuint(ly_sftp_stat(client, ly_bytes(big, LY_SFTP_PATH_MAX), done, &fixture->record[1]), !=, 0);
    g_assert_cmpuint(ly_sftp_stat(client, P, done, &fixture->record[2]), !=, 0);
    g_assert_cmpuint(ly_sftp_stat(client, P, done, &fixture->record[3]), ==, 0);
    g_assert_cmpuint(ly_sftp_client_outstanding(client), ==, 3);
    ly_sftp_client_closed(client);
    for (int i = 0; i < 3; i++)
        g_assert_cmpint(fixture->record[i].calls, ==, 1);
    g_assert_cmpint(fixture->record[3].calls, ==, 0);
    fixture_free(fixture);

    /* A sink that takes nothing: 64 MiB wait, and not more. */
    fixture = fixture_new(true);
    fixture->room = 0;
    size_t accepted = 0;
    while (ly_sftp_write(fixture->client, H, 0, ly_bytes(big, 261120), done, &fixture->record[0]))
        accepted++;
    g_assert_cmpuint(accepted, ==, 64 * 1048576 / (261120 + 4 + 1 + 4 + 4 + 4 + 8 + 4));
    g_assert_cmpuint(ly_sftp_client_pending_len(fixture->client), <=, 64 * 1048576);
    fixture_free(fixture);
}

/* Completions may submit; ids are never 0 and a stale one finds nobody. */
typedef struct Chain {
    Fixture *fixture;
    int left;
    LySftpId id;
} Chain;

static void chain_done(void *user, LySftpReply *reply)
{
    Chain *chain = user;
    g_assert_cmpuint(reply->status, ==, SSH_FX_OK);
    if (chain->left-- == 0)
        return;
    LySftpId before = chain->id;
    chain->id = ly_sftp_close(chain->fixture->client, H, chain_done, chain);
    g_assert_cmpuint(chain->id, !=, 0);
    g_assert_cmpuint(chain->id, !=, before);
}

static void test_chain(void)
{
    Fixture *fixture = fixture_new(true);
    start(fixture);
    Chain chain = {fixture, 66000, 0};
    chain.id = ly_sftp_close(fixture->client, H, chain_done, &chain);
    LyBuf buf = {0};
    while (chain.left >= 0) {
        ly_buf_clear(&buf);
        ly_buf_clear(&fixture->sent);
        put_ok(&buf, chain.id);
        g_assert_true(ly_sftp_client_receive(fixture->client, ly_buf_bytes(&buf), NULL));
    }
    ly_buf_free(&buf);
    fixture_free(fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sftp-client/requests", test_requests);
    g_test_add_func("/sftp-client/cancel", test_cancel);
    g_test_add_func("/sftp-client/pending", test_pending);
    g_test_add_func("/sftp-client/refusals", test_refusals);
    g_test_add_func("/sftp-client/chain", test_chain);
    return g_test_run();
}
