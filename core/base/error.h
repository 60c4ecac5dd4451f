/* An error is a value that the caller owns: a code for programs, a sentence for people. The last argument of
 * a function that can fail; NULL is allowed and drops it. Functions return false (or NULL) exactly when they
 * set it. */
#ifndef LY_BASE_ERROR_H
#define LY_BASE_ERROR_H

#include "base/bytes.h"

typedef enum LyErrorCode {
    LY_OK = 0,
    LY_ERROR_INVALID,     /* malformed input: a file, an option, an argument */
    LY_ERROR_UNSUPPORTED, /* well-formed, but not known or not compiled in */
    LY_ERROR_LIMIT,       /* over a limit given at creation */
    LY_ERROR_PASSPHRASE,  /* encrypted: a passphrase is needed, or the one given is wrong */
    LY_ERROR_CRYPTO,      /* the crypto library refused */
    LY_ERROR_VERIFY,      /* a signature, MAC or check value does not match */
    LY_ERROR_PROTOCOL,    /* the peer broke the protocol */
    LY_ERROR_DISCONNECT,  /* the peer sent SSH_MSG_DISCONNECT or closed the connection */
    LY_ERROR_HOST_KEY,    /* the host key was refused */
    LY_ERROR_AUTH,        /* sign-in failed */
    LY_ERROR_TIMEOUT,
    LY_ERROR_IO, /* the operating system refused; `system` holds errno */
    LY_ERROR_CANCELLED,
} LyErrorCode;

typedef struct LyError {
    LyErrorCode code;
    int system;        /* errno when code is LY_ERROR_IO, else 0 */
    uint32_t reason;   /* SSH_DISCONNECT_* when one was sent or received, else 0 */
    char message[480]; /* one sentence, NUL-terminated, unprintable bytes of a peer escaped */
} LyError;

/* Fills *error (NULL is fine) and returns false, so that `return ly_error_set(...)` reads well. */
bool ly_error_set(LyError *error, LyErrorCode code, const char *format, ...)
    LY_PRINTF(3, 4);
/* The same with errno's text appended: "cannot open /x: No such file or directory". */
bool ly_error_set_errno(LyError *error, int system, const char *format, ...)
    LY_PRINTF(3, 4);
/* Puts "PREFIX: " before the message. Returns false. */
bool ly_error_prefix(LyError *error, const char *format, ...) LY_PRINTF(2, 3);

/* Printable form of a peer's bytes for messages and logs: control bytes, ESC, C1 and invalid UTF-8 become
 * \xNN. Writes at most `room` bytes with NUL and returns `text`. Use through LY_PRINTABLE(bytes) inside a
 * format's arguments. */
const char *ly_printable(LyBytes bytes, char *text, size_t room);
#define LY_PRINTABLE(bytes) ly_printable((bytes), (char[200]){0}, 200)

#endif
