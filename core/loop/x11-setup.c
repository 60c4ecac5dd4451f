/* X11's parts without I/O. */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/memory.h"
#include "loop/x11-private.h"

#define PROTOCOL "MIT-MAGIC-COOKIE-1"
#define DISPLAY_MAX 59535 /* its port is 6000 more */

/* ---- names ---- */

/* ":0" or ":0.1" */
static bool read_numbers(LyBytes text, LyX11Display *display)
{
    LyBytes number = text, screen;
    uint64_t display_number, screen_number = 0;
    if (ly_bytes_split(text, '.', &number, &screen) && !ly_bytes_number(screen, UINT16_MAX, &screen_number))
        return false;
    if (!ly_bytes_number(number, DISPLAY_MAX, &display_number))
        return false;
    display->number = (uint32_t)display_number;
    display->screen = (uint32_t)screen_number;
    return true;
}

static bool set_text(char *to, size_t room, LyBytes text)
{
    if (text.len >= room || (text.len && memchr(text.data, 0, text.len)))
        return false;
    if (text.len)
        memcpy(to, text.data, text.len);
    to[text.len] = 0;
    return true;
}

static bool parse_display(LyBytes name, LyX11Display *display)
{
    size_t colon = name.len;
    while (colon && name.data[colon - 1] != ':')
        colon--;
    LyBytes host = ly_bytes_slice(name, 0, colon ? colon - 1 : 0);
    LyBytes numbers = ly_bytes_slice(name, colon, name.len);
    bool is_path = ly_bytes_starts_with(name, "/");
    if (is_path && (!colon || !read_numbers(numbers, display)))
        return set_text(display->path, sizeof display->path, name); /* a colon of the path's own */
    if (!colon || !read_numbers(numbers, display))
        return false;
    if (is_path)
        return set_text(display->path, sizeof display->path, host);
    if (host.len == 0 || ly_bytes_is(host, "unix")) {
        snprintf(display->path, sizeof display->path, "/tmp/.X11-unix/X%u", (unsigned)display->number);
        return true;
    }
    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        host = ly_bytes_slice(host, 1, host.len - 2);
    return set_text(display->host, sizeof display->host, host);
}

bool ly_x11_display_parse(const char *name, LyX11Display *display, LyError *error)
{
    LyX11Display parsed = {0};
    if (!parse_display(ly_bytes_str(name), &parsed))
        return ly_error_set(error, LY_ERROR_INVALID,
                            "'%s' is no X11 display: it would be host:number, :number or a socket's path",
                            LY_PRINTABLE(ly_bytes_str(name)));
    *display = parsed;
    return true;
}

/* ---- .Xauthority ---- */

/* Xauth(7): the families that matter. */
enum { FAMILY_INTERNET = 0, FAMILY_INTERNET6 = 6, FAMILY_LOCAL = 256, FAMILY_WILD = 65535 };

static uint32_t get_u16(LyReader *reader)
{
    uint32_t high = ly_get_u8(reader);
    return high << 8 | ly_get_u8(reader);
}

static LyBytes get_counted(LyReader *reader)
{
    uint32_t len = get_u16(reader);
    return ly_get_bytes(reader, len);
}

static bool is_display(uint32_t family, LyBytes address, const LyX11Display *display, const char *hostname)
{
    uint8_t numeric[16];
    bool local = display->path[0] || strcmp(display->host, "localhost") == 0;
    switch (family) {
    case FAMILY_WILD:
        return true;
    case FAMILY_LOCAL: /* loopback addresses are meant by it as well */
        return ly_bytes_is(address, local ? hostname : display->host);
    case FAMILY_INTERNET:
        return inet_pton(AF_INET, display->host, numeric) == 1 &&
               ly_bytes_equal(address, ly_bytes(numeric, 4));
    case FAMILY_INTERNET6:
        return inet_pton(AF_INET6, display->host, numeric) == 1 &&
               ly_bytes_equal(address, ly_bytes(numeric, 16));
    default:
        return false;
    }
}

bool ly_x11_authority_find(LyBytes file, const LyX11Display *display, const char *hostname, LyBytes *cookie)
{
    char number[12];
    snprintf(number, sizeof number, "%u", (unsigned)display->number);
    LyReader reader = ly_reader(file);
    while (reader.len && !reader.failed) {
        uint32_t family = get_u16(&reader);
        LyBytes address = get_counted(&reader), which = get_counted(&reader);
        LyBytes name = get_counted(&reader), data = get_counted(&reader);
        if (reader.failed || !ly_bytes_is(name, PROTOCOL) || data.len == 0 || data.len > 64 ||
            (which.len && !ly_bytes_is(which, number)) || !is_display(family, address, display, hostname))
            continue;
        *cookie = data;
        return true;
    }
    return false;
}

/* ---- the first bytes ---- */

#define HEAD_LEN ((size_t)12)
#define PADDED(len) (((len) + 3) & ~(size_t)3)

static size_t load_u16(const uint8_t *from, bool big)
{
    return big ? (size_t)from[0] << 8 | from[1] : (size_t)from[1] << 8 | from[0];
}

static void put_u16(LyBuf *out, size_t value, bool big)
{
    ly_put_u8(out, (uint8_t)(big ? value >> 8 : value));
    ly_put_u8(out, (uint8_t)(big ? value : value >> 8));
}

static void put_padded(LyBuf *out, LyBytes bytes)
{
    ly_buf_add(out, bytes);
    for (size_t i = bytes.len; i < PADDED(bytes.len); i++)
        ly_put_u8(out, 0);
}

/* "Failed": 0, length of the reason, 11.0, length in units of 4, the reason */
static LyX11First wrong(LyBuf *out, bool big, const char *reason)
{
    LyBytes text = ly_bytes_str(reason);
    ly_put_u8(out, 0);
    ly_put_u8(out, (uint8_t)text.len);
    put_u16(out, 11, big);
    put_u16(out, 0, big);
    put_u16(out, PADDED(text.len) / 4, big);
    put_padded(out, text);
    return LY_X11_WRONG;
}

LyX11First ly_x11_first(LyBytes in, LyBytes fake, LyBytes real, size_t *used, LyBuf *out)
{
    if (in.len == 0)
        return LY_X11_MORE;
    bool big = in.data[0] == 'B';
    if (!big && in.data[0] != 'l')
        return LY_X11_WRONG; /* not X11 at all */
    if (in.len < HEAD_LEN)
        return LY_X11_MORE;
    size_t name_len = load_u16(in.data + 6, big), data_len = load_u16(in.data + 8, big);
    size_t len = HEAD_LEN + PADDED(name_len) + PADDED(data_len);
    if (len > LY_X11_FIRST_MAX)
        return wrong(out, big, "The authorization is too long.");
    if (in.len < len)
        return LY_X11_MORE;
    LyBytes name = ly_bytes_slice(in, HEAD_LEN, name_len);
    LyBytes data = ly_bytes_slice(in, HEAD_LEN + PADDED(name_len), data_len);
    if (!ly_bytes_is(name, PROTOCOL) || !ly_bytes_equal_secret(data, fake))
        return wrong(out, big, "X11 forwarding: the cookie is wrong.");
    LyBytes protocol = real.len ? name : (LyBytes){0};
    ly_buf_add(out, ly_bytes_slice(in, 0, 6));
    put_u16(out, protocol.len, big);
    put_u16(out, real.len, big);
    put_u16(out, 0, big);
    put_padded(out, protocol);
    put_padded(out, real);
    *used = len;
    return LY_X11_RIGHT;
}
