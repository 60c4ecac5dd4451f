/* RFC 4250: message numbers, disconnect reasons, open failure reasons. One X-macro a family gives the enum, the trace name and the
 * fuzz dictionary. */
#ifndef LY_TRANSPORT_NUMBERS_H
#define LY_TRANSPORT_NUMBERS_H

#define LY_SSH_MESSAGES(X)                                                                                             \
    X(SSH_MSG_DISCONNECT, 1) X(SSH_MSG_IGNORE, 2) X(SSH_MSG_UNIMPLEMENTED, 3) X(SSH_MSG_DEBUG, 4)                      \
    X(SSH_MSG_SERVICE_REQUEST, 5) X(SSH_MSG_SERVICE_ACCEPT, 6) X(SSH_MSG_EXT_INFO, 7) X(SSH_MSG_NEWCOMPRESS, 8)        \
    X(SSH_MSG_KEXINIT, 20) X(SSH_MSG_NEWKEYS, 21)                                                                      \
    /* 30 to 49 belong to the key exchange method; RFC 4253 8, RFC 5656, RFC 4419 */                                   \
    X(SSH_MSG_KEXDH_INIT, 30) X(SSH_MSG_KEXDH_REPLY, 31) X(SSH_MSG_KEX_DH_GEX_INIT, 32)                                \
    X(SSH_MSG_KEX_DH_GEX_REPLY, 33) X(SSH_MSG_KEX_DH_GEX_REQUEST, 34)                                                  \
    X(SSH_MSG_USERAUTH_REQUEST, 50) X(SSH_MSG_USERAUTH_FAILURE, 51) X(SSH_MSG_USERAUTH_SUCCESS, 52)                    \
    X(SSH_MSG_USERAUTH_BANNER, 53)                                                                                     \
    /* 60 to 79 belong to the authentication method; 60 is also PASSWD_CHANGEREQ and PK_OK */                          \
    X(SSH_MSG_USERAUTH_INFO_REQUEST, 60) X(SSH_MSG_USERAUTH_INFO_RESPONSE, 61)                                         \
    X(SSH_MSG_GLOBAL_REQUEST, 80) X(SSH_MSG_REQUEST_SUCCESS, 81) X(SSH_MSG_REQUEST_FAILURE, 82)                        \
    X(SSH_MSG_CHANNEL_OPEN, 90) X(SSH_MSG_CHANNEL_OPEN_CONFIRMATION, 91) X(SSH_MSG_CHANNEL_OPEN_FAILURE, 92)           \
    X(SSH_MSG_CHANNEL_WINDOW_ADJUST, 93) X(SSH_MSG_CHANNEL_DATA, 94) X(SSH_MSG_CHANNEL_EXTENDED_DATA, 95)              \
    X(SSH_MSG_CHANNEL_EOF, 96) X(SSH_MSG_CHANNEL_CLOSE, 97) X(SSH_MSG_CHANNEL_REQUEST, 98)                             \
    X(SSH_MSG_CHANNEL_SUCCESS, 99) X(SSH_MSG_CHANNEL_FAILURE, 100) X(SSH_MSG_PING, 192) X(SSH_MSG_PONG, 193)

#define LY_SSH_DISCONNECTS(X)                                                                                          \
    X(SSH_DISCONNECT_HOST_NOT_ALLOWED_TO_CONNECT, 1) X(SSH_DISCONNECT_PROTOCOL_ERROR, 2)                               \
    X(SSH_DISCONNECT_KEY_EXCHANGE_FAILED, 3) X(SSH_DISCONNECT_RESERVED, 4) X(SSH_DISCONNECT_MAC_ERROR, 5)              \
    X(SSH_DISCONNECT_COMPRESSION_ERROR, 6) X(SSH_DISCONNECT_SERVICE_NOT_AVAILABLE, 7)                                  \
    X(SSH_DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED, 8) X(SSH_DISCONNECT_HOST_KEY_NOT_VERIFIABLE, 9)                   \
    X(SSH_DISCONNECT_CONNECTION_LOST, 10) X(SSH_DISCONNECT_BY_APPLICATION, 11)                                         \
    X(SSH_DISCONNECT_TOO_MANY_CONNECTIONS, 12) X(SSH_DISCONNECT_AUTH_CANCELLED_BY_USER, 13)                            \
    X(SSH_DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE, 14) X(SSH_DISCONNECT_ILLEGAL_USER_NAME, 15)

#define LY_SSH_OPEN_FAILURES(X)                                                                                        \
    X(SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, 1) X(SSH_OPEN_CONNECT_FAILED, 2) X(SSH_OPEN_UNKNOWN_CHANNEL_TYPE, 3)       \
    X(SSH_OPEN_RESOURCE_SHORTAGE, 4)

#define LY_ENUM_ROW(name, number) name = number,
enum { LY_SSH_MESSAGES(LY_ENUM_ROW) };
enum { LY_SSH_DISCONNECTS(LY_ENUM_ROW) };
enum { LY_SSH_OPEN_FAILURES(LY_ENUM_ROW) };
#undef LY_ENUM_ROW
enum { SSH_MSG_KEX_DH_GEX_GROUP = 31 }; /* the number of KEXDH_REPLY, in a group exchange */
enum { SSH_MSG_USERAUTH_PASSWD_CHANGEREQ = 60, SSH_MSG_USERAUTH_PK_OK = 60 };
enum { SSH_EXTENDED_DATA_STDERR = 1 };

const char *ly_ssh_message_name(unsigned number);    /* "SSH_MSG_KEXINIT"; "?" when unknown */
const char *ly_ssh_disconnect_name(unsigned reason); /* "SSH_DISCONNECT_MAC_ERROR" */

#endif
