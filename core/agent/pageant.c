#include "agent/pageant.h"

#include "agent/numbers.h"
#include "base/wire.h"
#include "base/hex.h"

/* The shared memory block: uint32 length, then as many bytes; first the request, then the reply. */

enum { LENGTH_LEN = 4, MAP_MIN = LENGTH_LEN + 1 };

bool ly_pageant_map_name(uint64_t dw_data, LyBytes data, LyBytes *name, LyError *error)
{
    /* dwData is as wide as a pointer, and a 32-bit client's may arrive sign-extended. */
    if ((uint32_t)dw_data != LY_PAGEANT_COPYDATA)
        return ly_error_set(error, LY_ERROR_INVALID,
                            "this WM_COPYDATA is not Pageant's: dwData is 0x%x, not 0x%x",
                            (unsigned)(uint32_t)dw_data, (unsigned)LY_PAGEANT_COPYDATA);
    if (data.len == 0 || !data.data || data.data[data.len - 1] != 0)
        return ly_error_set(error, LY_ERROR_INVALID, "the name of the shared memory does not end in NUL");
    LyBytes text = ly_bytes_slice(data, 0, data.len - 1);
    if (text.len == 0)
        return ly_error_set(error, LY_ERROR_INVALID, "the name of the shared memory is empty");
    if (ly_bytes_has_nul(text))
        return ly_error_set(error, LY_ERROR_INVALID, "the name of the shared memory has a NUL within");
    *name = text;
    return true;
}

/* Reads each byte once: a compiler that read again later could read what the other process put there since.
 */
static uint32_t load_length_once(const uint8_t *map)
{
    const volatile uint8_t *from = map;
    uint8_t bytes[LENGTH_LEN];
    for (size_t i = 0; i < LENGTH_LEN; i++)
        bytes[i] = from[i];
    return ly_load_u32(bytes);
}

static bool check_length(LyBytes map, const char *what, uint32_t *length, LyError *error)
{
    if (map.len < MAP_MIN)
        return ly_error_set(error, LY_ERROR_INVALID, "the shared memory is too small for a %s: %u bytes",
                            what, (unsigned)map.len);
    uint32_t len = load_length_once(map.data);
    if (len == 0)
        return ly_error_set(error, LY_ERROR_INVALID, "the %s in the shared memory is empty", what);
    if (len > map.len - LENGTH_LEN)
        return ly_error_set(error, LY_ERROR_INVALID,
                            "the %s in the shared memory claims %u bytes, which it has not", what,
                            (unsigned)len);
    if (len > LY_PAGEANT_MESSAGE_MAX)
        return ly_error_set(error, LY_ERROR_LIMIT,
                            "the %s in the shared memory has %u bytes; at most %u are allowed", what,
                            (unsigned)len, (unsigned)LY_PAGEANT_MESSAGE_MAX);
    *length = len;
    return true;
}

bool ly_pageant_get_request(LyBytes map, LyBuf *request, LyError *error)
{
    uint32_t len = 0;
    if (!check_length(map, "request", &len, error))
        return false;
    uint8_t *room = ly_buf_room(request, len);
    if (!room)
        return ly_error_set(error, LY_ERROR_LIMIT, "a request of %u bytes does not fit", (unsigned)len);
    memcpy(room, map.data + LENGTH_LEN, len);
    ly_buf_added(request, len);
    return true;
}

void ly_pageant_put_reply(LyBytes reply, uint8_t *map, size_t map_len)
{
    static const uint8_t failure[] = {SSH_AGENT_FAILURE};
    if (map_len < MAP_MIN)
        return;
    if (reply.len == 0 || reply.len > map_len - LENGTH_LEN || reply.len > LY_PAGEANT_MESSAGE_MAX)
        reply = ly_bytes(failure, sizeof failure);
    ly_store_u32(map, (uint32_t)reply.len);
    memcpy(map + LENGTH_LEN, reply.data, reply.len);
}

bool ly_pageant_get_reply(LyBytes map, LyBytes *reply, LyError *error)
{
    uint32_t len = 0;
    if (!check_length(map, "reply", &len, error))
        return false;
    *reply = ly_bytes_slice(map, LENGTH_LEN, len);
    return true;
}

/* The pipe. */

void ly_pageant_pipe_data(const uint8_t protected_name[16], LyBuf *out)
{
    ly_put_string(out, ly_bytes(protected_name, 16));
}

void ly_pageant_pipe_name(const char *user, const uint8_t sha256[32], LyBuf *out)
{
    ly_buf_add_format(out, "\\\\.\\pipe\\pageant.%s.", user);
    ly_put_hex(ly_bytes(sha256, 32), out);
}
