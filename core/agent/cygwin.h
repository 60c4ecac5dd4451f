/* Cygwin's emulation of Unix sockets: a file that names a TCP port and a secret, and a handshake on it. Pure
 * functions and a state machine over bytes; sockets and files are the caller's. Works the same on Linux and
 * Windows, for Cygwin, MSYS2 and npm ssh2's CygwinAgent. */
#ifndef LY_AGENT_CYGWIN_H
#define LY_AGENT_CYGWIN_H

#include "base/buf.h"
#include "base/error.h"

enum { LY_CYGWIN_SECRET_LEN = 16, LY_CYGWIN_CREDENTIALS_LEN = 12, LY_CYGWIN_FILE_MAX = 128 };

typedef struct LyCygwinFile {
    uint16_t port;
    uint8_t secret[LY_CYGWIN_SECRET_LEN]; /* as on the wire: each of the four numbers little-endian */
} LyCygwinFile;

/* "!<socket >PORT s XXXXXXXX-XXXXXXXX-XXXXXXXX-XXXXXXXX" and one NUL; upper-case, which ssh2 insists on. */
void ly_put_cygwin_file(const LyCygwinFile *file, LyBuf *out);
/* Either case; at most the first 128 bytes count. False: not such a file (LY_ERROR_INVALID), or a datagram
 * socket (LY_ERROR_UNSUPPORTED). */
bool ly_get_cygwin_file(LyBytes text, LyCygwinFile *file, LyError *error);
/* It begins as such a file does. */
bool ly_is_cygwin_file(LyBytes text);

/* libassuan's own form for Windows (gpg4win's S.gpg-agent.ssh): "PORT\n" and 16 raw bytes. The client sends
 * the bytes once connected, and gets no answer to them. LY_ERROR_INVALID: not such a file. */
bool ly_get_assuan_file(LyBytes text, LyCygwinFile *file, LyError *error);

typedef struct LyCygwinCredentials {
    int32_t pid;
    uint32_t uid, gid;
} LyCygwinCredentials;

/* One side of a handshake. Bytes in any pieces. */
typedef struct LyCygwinHandshake {
    bool server, failed, done;
    uint8_t secret[LY_CYGWIN_SECRET_LEN];
    LyCygwinCredentials ours, theirs; /* theirs are self-declared: not authentication */
    uint8_t received[LY_CYGWIN_SECRET_LEN + LY_CYGWIN_CREDENTIALS_LEN];
    size_t received_len;
    unsigned step;
} LyCygwinHandshake;

/* A server answers the client's own uid and gid, so that its getpeereid is content. */
void ly_cygwin_handshake_begin(LyCygwinHandshake *handshake, bool server, const LyCygwinFile *file,
                               LyCygwinCredentials ours, LyBuf *out);
/* Takes what it needs of `in` and appends what is to be sent; returns how many bytes it took (the rest is the
 * agent protocol's). `failed`: the secret is wrong, close without a word (compared in constant time). */
size_t ly_cygwin_handshake_receive(LyCygwinHandshake *handshake, LyBytes in, LyBuf *out);

#endif
