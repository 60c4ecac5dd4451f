/* The client's life and its reader: VERSION, replies, and how a session ends. */
#include "base/memory.h"
#include "sftp/client-private.h"

#define REPLY_MAX (LY_SFTP_PACKET_MAX + 1024u)
#define PENDING_MAX ((size_t)64 << 20)
#define PACKET_HEAD_LEN 5 /* length, type */
#define DATA_HEAD_LEN 13  /* length, type, id, length of the data */
/* The most data that a packet of LY_SFTP_PACKET_MAX has room for, as OpenSSH counts. */
#define TRANSFER_MAX 261120u
#define TRANSFER_GUESS 32768u /* filexfer-02 section 3: what every server must take */
#define PACKET_GUESS 34000u
#define TRANSFER_MIN 1024u /* a server that says less is not believed */

LySftpClient *ly_sftp_client_new(const LySftpClientOptions *options, LySftpDone ready, void *user)
{
    LySftpClient *client = ly_new(LySftpClient);
    client->options = *options;
    client->ready = ready;
    client->ready_user = user;
    client->limits = (LySftpLimits){PACKET_GUESS, TRANSFER_GUESS, TRANSFER_GUESS, 0};
    client->packet.limit = LY_SFTP_PACKET_MAX + 64;
    client->body.limit = REPLY_MAX;
    /* One less than slots can do, so that an id is never 0 (it is a slot plus one). */
    ly_slots_init(&client->slots, options->max_requests ? LY_MIN(options->max_requests, 65535u) : 4096);
    ly_sftp_outbox_init(&client->outbox, options->sink, PENDING_MAX);
    LyBytes init = LY_BYTES("\0\0\0\x05\x01\0\0\0\x03");
    ly_sftp_outbox_send(&client->outbox, &init, 1);
    return client;
}

static void call_ready(LySftpClient *client, uint32_t status)
{
    LySftpDone ready = client->ready;
    client->ready = NULL;
    LySftpReply reply = {.type = LY_SFTP_REPLY_STATUS, .status = status};
    if (ready)
        ready(client->ready_user, &reply);
}

/* Ends the request before its completion is called, so that the completion may submit another one. */
static void complete(LySftpClient *client, LySftpClientRequest *request, LySftpReply *reply)
{
    LySftpDone done = request->done;
    void *user = request->user;
    ly_sftp_request_release(client, request);
    if (done)
        done(user, reply);
}

static void complete_all(LySftpClient *client)
{
    uint32_t position = 0, slot;
    LySftpClientRequest *request;
    client->reading = NULL;
    while ((request = ly_slots_each(&client->slots, &position, &slot))) {
        LySftpReply reply = {.type = LY_SFTP_REPLY_STATUS, .status = SSH_FX_CONNECTION_LOST};
        complete(client, request, &reply);
    }
}

void ly_sftp_client_closed(LySftpClient *client)
{
    client->closed = true;
    complete_all(client);
    call_ready(client, SSH_FX_CONNECTION_LOST);
}

void ly_sftp_client_free(LySftpClient *client)
{
    if (!client)
        return;
    ly_sftp_client_closed(client);
    for (LySftpClientRequest *request = client->unused, *next; request; request = next) {
        next = request->next_unused;
        ly_free(request);
    }
    ly_slots_free(&client->slots);
    ly_buf_free(&client->packet);
    ly_buf_free(&client->body);
    ly_sftp_outbox_free(&client->outbox);
    ly_free(client);
}

/* The server broke the protocol; client->error says how. `request`, if any, is the one whose reply is to
 * blame. */
static void fail(LySftpClient *client, LySftpClientRequest *request)
{
    client->closed = true;
    client->reading = NULL;
    if (request) {
        LySftpReply reply = {.type = LY_SFTP_REPLY_STATUS, .status = SSH_FX_BAD_MESSAGE};
        complete(client, request, &reply);
    }
    complete_all(client);
    call_ready(client, SSH_FX_BAD_MESSAGE);
}

/* Replies. */

bool ly_sftp_reply_name(LySftpReply *reply, LySftpName *name)
{
    if (reply->name_count == 0)
        return false;
    LySftpName got = {0};
    got.filename = ly_get_string(&reply->names);
    got.longname = ly_get_string(&reply->names);
    ly_get_attrs(&reply->names, &got.attrs);
    if (reply->names.failed) {
        reply->name_count = 0;
        return false;
    }
    reply->name_count--;
    *name = got;
    return true;
}

static bool get_status(LyReader *reader, LySftpReply *reply)
{
    reply->type = LY_SFTP_REPLY_STATUS;
    reply->status = ly_get_u32(reader);
    if (reader->failed)
        return false;
    /* Some servers leave out the text, or only its language tag. */
    if (reader->len)
        reply->message = ly_get_string(reader);
    return !reader->failed;
}

static bool get_handle(LyReader *reader, LySftpReply *reply)
{
    reply->type = LY_SFTP_REPLY_HANDLE;
    reply->handle = ly_get_string(reader);
    return ly_reader_done(reader) && reply->handle.len >= 1 && reply->handle.len <= LY_SFTP_HANDLE_MAX;
}

static bool get_names(LyReader *reader, LySftpReply *reply)
{
    reply->type = LY_SFTP_REPLY_NAME;
    reply->name_count = ly_get_u32(reader);
    reply->names = *reader;
    LySftpReply walk = *reply;
    LySftpName name;
    while (ly_sftp_reply_name(&walk, &name))
        ;
    return ly_reader_done(&walk.names);
}

static bool get_reply_attrs(LyReader *reader, LySftpReply *reply)
{
    reply->type = LY_SFTP_REPLY_ATTRS;
    ly_get_attrs(reader, &reply->attrs);
    return ly_reader_done(reader);
}

static bool get_extended(LyReader *reader, LySftpReply *reply)
{
    reply->type = LY_SFTP_REPLY_EXTENDED;
    reply->extended = *reader;
    return true;
}

static const struct {
    uint8_t type;
    uint8_t accept; /* a request needs one of these for the reply to be right */
    bool (*get)(LyReader *reader, LySftpReply *reply);
} replies[] = {
    {SSH_FXP_STATUS, 0xff, get_status},
    {SSH_FXP_HANDLE, LY_SFTP_ACCEPT_HANDLE, get_handle},
    {SSH_FXP_NAME, LY_SFTP_ACCEPT_NAME | LY_SFTP_ACCEPT_ONE_NAME, get_names},
    {SSH_FXP_ATTRS, LY_SFTP_ACCEPT_ATTRS, get_reply_attrs},
    {SSH_FXP_EXTENDED_REPLY, LY_SFTP_ACCEPT_EXTENDED, get_extended},
};

static bool get_reply(uint8_t type, uint8_t accept, LyReader *reader, LySftpReply *reply)
{
    for (size_t i = 0; i < LY_COUNT(replies); i++) {
        if (replies[i].type != type)
            continue;
        if (!(replies[i].accept & accept) || !replies[i].get(reader, reply))
            return false;
        if (type == SSH_FXP_STATUS && reply->status == SSH_FX_OK)
            return accept & LY_SFTP_ACCEPT_OK; /* a READ without data is no success */
        if (type == SSH_FXP_NAME && accept & LY_SFTP_ACCEPT_ONE_NAME)
            return reply->name_count == 1;
        return true;
    }
    return false;
}

static LySftpClientRequest *find(const LySftpClient *client, uint32_t id)
{
    return ly_slots_find(&client->slots, id - 1);
}

static void unknown_id(LySftpClient *client, uint8_t type, uint32_t id)
{
    ly_error_set(&client->error, LY_ERROR_PROTOCOL,
                 "the SFTP server sent %s for request %u, which is not open: the session ends",
                 ly_sftp_message_name(type), id);
    fail(client, NULL);
}

static void wrong_reply(LySftpClient *client, uint8_t type, LySftpClientRequest *request)
{
    ly_error_set(&client->error, LY_ERROR_PROTOCOL,
                 "the SFTP server answered %s with a wrong or damaged %s (%u): the session ends",
                 ly_sftp_message_name(request->type), ly_sftp_message_name(type), type);
    fail(client, request);
}

static void reply_received(LySftpClient *client, uint8_t type, LyBytes body)
{
    LyReader reader = ly_reader(body);
    uint32_t id = ly_get_u32(&reader);
    LySftpClientRequest *request = reader.failed ? NULL : find(client, id);
    if (!request) {
        unknown_id(client, type, id);
        return;
    }
    LySftpReply reply = {0};
    if (!get_reply(type, request->accept, &reader, &reply)) {
        wrong_reply(client, type, request);
        return;
    }
    ly_log(&client->options.log, LY_LOG_TRACE, "SFTP: received %s %u (%s), %zu bytes",
           ly_sftp_message_name(type), id,
           reply.type == LY_SFTP_REPLY_STATUS ? ly_sftp_status_name(reply.status) : "OK", body.len + 1);
    if (reply.type == LY_SFTP_REPLY_HANDLE && !request->done) /* nobody else would close it */
        ly_sftp_close(client, reply.handle, NULL, NULL);
    complete(client, request, &reply);
}

/* VERSION. */

static uint64_t clamp(uint64_t value, uint64_t guess, uint64_t most)
{
    return value == 0 ? guess : LY_MAX(LY_MIN(value, most), (uint64_t)TRANSFER_MIN);
}

static void limits_received(void *user, LySftpReply *reply)
{
    LySftpClient *client = user;
    if (client->closed)
        return; /* `ready` is told by what closed it */
    if (reply->type == LY_SFTP_REPLY_EXTENDED) {
        LySftpLimits got;
        got.max_packet = clamp(ly_get_u64(&reply->extended), PACKET_GUESS, LY_SFTP_PACKET_MAX);
        got.max_read = clamp(ly_get_u64(&reply->extended), TRANSFER_GUESS, TRANSFER_MAX);
        got.max_write = clamp(ly_get_u64(&reply->extended), TRANSFER_GUESS, TRANSFER_MAX);
        got.max_handles = ly_get_u64(&reply->extended);
        if (!reply->extended.failed)
            client->limits = got;
        else
            ly_log(&client->options.log, LY_LOG_WARNING,
                   "the SFTP server's limits are cut short and not used");
    }
    call_ready(client, SSH_FX_OK);
}

static uint32_t extension_bit(LyBytes name, LyBytes data)
{
#define ROW(id, wire, version)                                                                               \
    if (ly_bytes_is(name, wire))                                                                             \
        return ly_bytes_is(data, version) ? 1u << LY_SFTP_EXTENSION_##id : 0;
    LY_SFTP_EXTENSIONS(ROW)
#undef ROW
    return 0;
}

static void version_received(LySftpClient *client, LyBytes body)
{
    LyReader reader = ly_reader(body);
    uint32_t version = ly_get_u32(&reader), extensions = 0;
    while (!reader.failed && reader.len) {
        LyBytes name = ly_get_string(&reader), data = ly_get_string(&reader);
        extensions |= extension_bit(name, data);
    }
    if (reader.failed)
        ly_error_set(&client->error, LY_ERROR_PROTOCOL, "the SFTP server's SSH_FXP_VERSION is cut short");
    else if (version != 3)
        ly_error_set(&client->error, LY_ERROR_UNSUPPORTED,
                     "the SFTP server speaks version %u, only 3 is known here", version);
    if (reader.failed || version != 3) {
        fail(client, NULL);
        return;
    }
    client->versioned = true;
    client->extensions = extensions;
    if (!ly_sftp_client_has(client, LY_SFTP_EXTENSION_LIMITS) ||
        !ly_sftp_ask_limits(client, limits_received, client))
        call_ready(client, SSH_FX_OK);
}

static void packet_received(LySftpClient *client, uint8_t type, LyBytes body)
{
    if (client->versioned) {
        reply_received(client, type, body);
    } else if (type == SSH_FXP_VERSION) {
        version_received(client, body);
    } else {
        ly_error_set(&client->error, LY_ERROR_PROTOCOL,
                     "the SFTP server sent message %u before SSH_FXP_VERSION", type);
        fail(client, NULL);
    }
}

/* The reader. Every step takes what it can use off *bytes; false when the session ended or more bytes are
 * needed. */

static bool take_head(LySftpClient *client, LyBytes *bytes, size_t need)
{
    size_t len = LY_MIN(need - client->head_len, bytes->len);
    memcpy(client->head + client->head_len, bytes->data, len);
    client->head_len += len;
    *bytes = ly_bytes_slice(*bytes, len, bytes->len);
    return client->head_len == need;
}

static bool check_length(LySftpClient *client)
{
    uint32_t len = ly_load_u32(client->head);
    if (len >= 1 && len <= REPLY_MAX)
        return true;
    if (!client->versioned && len > REPLY_MAX)
        ly_error_set(&client->error, LY_ERROR_PROTOCOL,
                     "the server sent text or another protocol instead of SFTP, beginning with \"%s\": a "
                     "shell's start file on "
                     "it may print something",
                     LY_PRINTABLE(ly_bytes(client->head, 4)));
    else
        ly_error_set(&client->error, LY_ERROR_PROTOCOL,
                     "the SFTP server sent a packet of %u bytes; 1 to %u are allowed", len, REPLY_MAX);
    fail(client, NULL);
    return false;
}

static bool is_data(const LySftpClient *client)
{
    return client->versioned && client->head[4] == SSH_FXP_DATA &&
           ly_load_u32(client->head) >= DATA_HEAD_LEN - 4;
}

static bool data_begun(LySftpClient *client)
{
    uint32_t id = ly_load_u32(client->head + 5), len = ly_load_u32(client->head + 9);
    LySftpClientRequest *request = find(client, id);
    if (!request) {
        unknown_id(client, SSH_FXP_DATA, id);
        return false;
    }
    if (!(request->accept & LY_SFTP_ACCEPT_DATA) || len > request->len || len != client->left) {
        wrong_reply(client, SSH_FXP_DATA, request);
        return false;
    }
    client->reading = request;
    client->data_len = 0;
    return true;
}

static bool take_packet_head(LySftpClient *client, LyBytes *bytes)
{
    if (client->head_len < 4) {
        if (!take_head(client, bytes, 4) || !check_length(client))
            return false;
    }
    if (client->head_len < PACKET_HEAD_LEN && !take_head(client, bytes, PACKET_HEAD_LEN))
        return false;
    if (client->head_len == PACKET_HEAD_LEN)
        client->left = ly_load_u32(client->head) - 1;
    if (!is_data(client) || client->reading)
        return true;
    if (!take_head(client, bytes, DATA_HEAD_LEN))
        return false;
    client->left = ly_load_u32(client->head) - (DATA_HEAD_LEN - 4);
    return data_begun(client);
}

/* A piece of DATA goes straight to where the reader of the file wants it. */
static void take_data(LySftpClient *client, LyBytes *bytes)
{
    size_t len = LY_MIN(client->left, bytes->len);
    LySftpClientRequest *request = client->reading;
    if (request->done && len)
        memcpy(request->buffer + client->data_len, bytes->data, len);
    client->data_len += len;
    client->left -= len;
    *bytes = ly_bytes_slice(*bytes, len, bytes->len);
    if (client->left)
        return;
    client->head_len = 0;
    client->reading = NULL;
    LySftpReply reply = {.type = LY_SFTP_REPLY_DATA, .data_len = client->data_len};
    complete(client, request, &reply);
}

static void take_body(LySftpClient *client, LyBytes *bytes)
{
    size_t len = LY_MIN(client->left, bytes->len);
    LyBytes piece = ly_bytes_slice(*bytes, 0, len), body = piece;
    *bytes = ly_bytes_slice(*bytes, len, bytes->len);
    bool whole = client->body.len == 0 && len == client->left; /* no need to assemble it */
    client->left -= len;
    if (!whole) {
        ly_buf_add(&client->body, piece);
        body = ly_buf_bytes(&client->body);
    }
    if (client->left)
        return;
    client->head_len = 0;
    packet_received(client, client->head[4], body);
    ly_buf_clear(&client->body);
}

bool ly_sftp_client_receive(LySftpClient *client, LyBytes bytes, LyError *error)
{
    while (bytes.len && !client->closed) {
        bool in_body = client->reading || client->body.len;
        if (!in_body && !take_packet_head(client, &bytes))
            continue;
        if (client->reading)
            take_data(client, &bytes);
        else
            take_body(client, &bytes);
    }
    if (client->error.code != LY_OK) {
        if (error)
            *error = client->error;
        return false;
    }
    return true;
}

void ly_sftp_client_flush(LySftpClient *client)
{
    if (!client->closed)
        ly_sftp_outbox_flush(&client->outbox);
}

bool ly_sftp_client_has(const LySftpClient *client, unsigned extension)
{
    return extension < LY_SFTP_EXTENSION_COUNT && client->extensions & 1u << extension;
}

const LySftpLimits *ly_sftp_client_limits(const LySftpClient *client)
{
    return &client->limits;
}

size_t ly_sftp_client_pending_len(const LySftpClient *client)
{
    return ly_sftp_outbox_len(&client->outbox);
}

bool ly_sftp_client_is_closed(const LySftpClient *client)
{
    return client->closed;
}

uint32_t ly_sftp_client_outstanding(const LySftpClient *client)
{
    return client->slots.used;
}

void ly_sftp_cancel(LySftpClient *client, LySftpId id)
{
    LySftpClientRequest *request = id ? find(client, id) : NULL;
    if (request)
        request->done = NULL;
}
