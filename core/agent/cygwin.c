#include "agent/cygwin.h"

#include "base/memory.h"
#include "base/hex.h"

/* The file. */

static const char MAGIC[] = "!<socket >";

bool ly_is_cygwin_file(LyBytes text)
{
    return ly_bytes_starts_with(text, MAGIC);
}

void ly_put_cygwin_file(const LyCygwinFile *file, LyBuf *out)
{
    ly_buf_add_format(out, "%s%u s ", MAGIC, (unsigned)file->port);
    for (size_t word = 0; word < LY_CYGWIN_SECRET_LEN; word += 4) {
        const uint8_t *b = file->secret + word;
        ly_buf_add_format(out, "%s%02X%02X%02X%02X", word ? "-" : "", b[3], b[2], b[1], b[0]);
    }
    ly_buf_add(out, ly_bytes("", 1));
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* As sscanf's blank in a format: any number of them, none included. */
static void skip_blanks(LyBytes *text)
{
    while (text->len && is_blank(text->data[0]))
        *text = ly_bytes_slice(*text, 1, SIZE_MAX);
}

static bool take_port(LyBytes *text, uint16_t *port)
{
    uint32_t value = 0;
    size_t len = 0;
    while (len < text->len && text->data[len] >= '0' && text->data[len] <= '9') {
        value = value * 10 + (uint32_t)(text->data[len++] - '0');
        if (value > UINT16_MAX)
            return false;
    }
    *port = (uint16_t)value;
    *text = ly_bytes_slice(*text, len, SIZE_MAX);
    return value != 0;
}

/* Eight digits are a number, and its bytes on the wire begin with the least significant one. */
static bool take_word(LyBytes *text, uint8_t *out)
{
    uint8_t word[4];
    if (!ly_hex_read(ly_bytes_slice(*text, 0, 8), word, sizeof word))
        return false;
    for (size_t i = 0; i < sizeof word; i++)
        out[i] = word[sizeof word - 1 - i];
    *text = ly_bytes_slice(*text, 8, SIZE_MAX);
    return true;
}

static bool take_secret(LyBytes *text, uint8_t secret[LY_CYGWIN_SECRET_LEN])
{
    for (size_t word = 0; word < LY_CYGWIN_SECRET_LEN; word += 4) {
        if (word > 0) {
            if (text->len == 0 || text->data[0] != '-')
                return false;
            *text = ly_bytes_slice(*text, 1, SIZE_MAX);
        }
        if (!take_word(text, secret + word))
            return false;
    }
    return text->len == 0 || text->data[0] == 0 || is_blank(text->data[0]);
}

bool ly_get_cygwin_file(LyBytes text, LyCygwinFile *file, LyError *error)
{
    LyCygwinFile read = {0};
    if (!ly_is_cygwin_file(text))
        return ly_error_set(error, LY_ERROR_INVALID,
                            "this is not a Cygwin socket file: it does not begin with \"%s\"", MAGIC);
    text = ly_bytes_slice(text, sizeof MAGIC - 1, LY_CYGWIN_FILE_MAX - (sizeof MAGIC - 1));
    skip_blanks(&text);
    if (!take_port(&text, &read.port))
        return ly_error_set(error, LY_ERROR_INVALID,
                            "this Cygwin socket file does not name a port (1 to 65535)");
    skip_blanks(&text);
    uint8_t type = text.len ? text.data[0] : 0;
    if (type == 'd')
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "this Cygwin socket file is a datagram socket's; an agent has a stream socket");
    if (type != 's')
        return ly_error_set(error, LY_ERROR_INVALID,
                            "this Cygwin socket file does not say \"s\" (stream) behind its port");
    text = ly_bytes_slice(text, 1, SIZE_MAX);
    skip_blanks(&text);
    if (!take_secret(&text, read.secret)) {
        ly_cleanse(&read, sizeof read);
        return ly_error_set(
            error, LY_ERROR_INVALID,
            "this Cygwin socket file does not end in a secret of four times eight hex digits");
    }
    *file = read;
    ly_cleanse(&read, sizeof read);
    return true;
}

bool ly_get_assuan_file(LyBytes text, LyCygwinFile *file, LyError *error)
{
    uint16_t port;
    if (text.len == 0 || is_blank(text.data[0]) || !take_port(&text, &port) ||
        text.len != 1 + LY_CYGWIN_SECRET_LEN || text.data[0] != '\n')
        return ly_error_set(
            error, LY_ERROR_INVALID,
            "this is not a libassuan socket file: those hold a port, a line's end and 16 bytes");
    file->port = port;
    memcpy(file->secret, text.data + 1, LY_CYGWIN_SECRET_LEN);
    return true;
}

/* The handshake. Client: secret, (secret), credentials, (credentials); server: each after the client's. */

enum { STEP_SECRET, STEP_CREDENTIALS, STEP_OVER };

static void put_u32_le(LyBuf *out, uint32_t value)
{
    uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                        (uint8_t)(value >> 24)};
    ly_buf_add(out, ly_bytes(bytes, sizeof bytes));
}

static uint32_t load_u32_le(const uint8_t *from)
{
    return (uint32_t)from[3] << 24 | (uint32_t)from[2] << 16 | (uint32_t)from[1] << 8 | from[0];
}

static void put_credentials(LyBuf *out, LyCygwinCredentials credentials)
{
    put_u32_le(out, (uint32_t)credentials.pid);
    put_u32_le(out, credentials.uid);
    put_u32_le(out, credentials.gid);
}

static LyCygwinCredentials load_credentials(const uint8_t *from)
{
    return (LyCygwinCredentials){
        .pid = (int32_t)load_u32_le(from), .uid = load_u32_le(from + 4), .gid = load_u32_le(from + 8)};
}

void ly_cygwin_handshake_begin(LyCygwinHandshake *handshake, bool server, const LyCygwinFile *file,
                               LyCygwinCredentials ours, LyBuf *out)
{
    *handshake = (LyCygwinHandshake){.server = server, .ours = ours};
    memcpy(handshake->secret, file->secret, LY_CYGWIN_SECRET_LEN);
    if (!server)
        ly_buf_add(out, ly_bytes(handshake->secret, LY_CYGWIN_SECRET_LEN));
}

static void end(LyCygwinHandshake *handshake, bool good)
{
    handshake->done = good;
    handshake->failed = !good;
    handshake->step = STEP_OVER;
    ly_cleanse(handshake->secret, sizeof handshake->secret);
    ly_cleanse(handshake->received, sizeof handshake->received);
}

static void secret_received(LyCygwinHandshake *handshake, LyBuf *out)
{
    if (!ly_bytes_equal_secret(ly_bytes(handshake->received, LY_CYGWIN_SECRET_LEN),
                               ly_bytes(handshake->secret, LY_CYGWIN_SECRET_LEN))) {
        end(handshake, false);
        return;
    }
    if (handshake->server)
        ly_buf_add(out, ly_bytes(handshake->secret, LY_CYGWIN_SECRET_LEN));
    else
        put_credentials(out, handshake->ours);
    handshake->step = STEP_CREDENTIALS;
}

static void credentials_received(LyCygwinHandshake *handshake, LyBuf *out)
{
    handshake->theirs = load_credentials(handshake->received + LY_CYGWIN_SECRET_LEN);
    if (handshake->server) {
        handshake->ours.uid = handshake->theirs.uid;
        handshake->ours.gid = handshake->theirs.gid;
        put_credentials(out, handshake->ours);
    }
    end(handshake, true);
}

size_t ly_cygwin_handshake_receive(LyCygwinHandshake *handshake, LyBytes in, LyBuf *out)
{
    size_t taken = 0;
    while (handshake->step != STEP_OVER && taken < in.len) {
        size_t wanted =
            LY_CYGWIN_SECRET_LEN + (handshake->step == STEP_CREDENTIALS ? LY_CYGWIN_CREDENTIALS_LEN : 0);
        size_t len = LY_MIN(wanted - handshake->received_len, in.len - taken);
        memcpy(handshake->received + handshake->received_len, in.data + taken, len);
        handshake->received_len += len;
        taken += len;
        if (handshake->received_len < wanted)
            break;
        if (handshake->step == STEP_SECRET)
            secret_received(handshake, out);
        else
            credentials_received(handshake, out);
    }
    return taken;
}
