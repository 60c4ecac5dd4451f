/* Pageant's two transports as far as they are bytes: the request in a shared memory block, and the pipe's
 * name. Windows calls are the caller's. */
#ifndef LY_AGENT_PAGEANT_H
#define LY_AGENT_PAGEANT_H

#include "base/buf.h"
#include "base/error.h"

#define LY_PAGEANT_COPYDATA 0x804e50baU
enum { LY_PAGEANT_MESSAGE_MAX = 262144 };

/* The map's name out of WM_COPYDATA: dwData (compared as 32 bits), and bytes that must end in NUL and hold no
 * other. Any name will do (KeePassXC's is SSHAgentRequest...). */
bool ly_pageant_map_name(uint64_t dw_data, LyBytes data, LyBytes *name, LyError *error);
/* Copies the request (type and contents, without its length) out of a mapping of `map.len` bytes before
 * anything is parsed: the other process may still write there. LY_ERROR_INVALID: map under 5 bytes, length 0
 * or beyond the map; LY_ERROR_LIMIT: over LY_PAGEANT_MESSAGE_MAX. */
bool ly_pageant_get_request(LyBytes map, LyBuf *request, LyError *error);
/* Writes the reply with its length into the map; one that is empty or does not fit becomes SSH_AGENT_FAILURE.
 * A map under 5 bytes is left alone. */
void ly_pageant_put_reply(LyBytes reply, uint8_t *map, size_t map_len);
/* The reply out of a map, as a client: length over 0 and at most map.len - 4. A view. */
bool ly_pageant_get_reply(LyBytes map, LyBytes *reply, LyError *error);
/* "\\.\pipe\pageant.USER.HEX"; `protected` is CryptProtectMemory's 16 bytes of "Pageant", `sha256` is the
 * caller's digest of ly_pageant_pipe_data. */
void ly_pageant_pipe_data(const uint8_t protected_name[16], LyBuf *out);
void ly_pageant_pipe_name(const char *user, const uint8_t sha256[32], LyBuf *out);

#endif
