/* RFC 4254 section 7 and OpenSSH's PROTOCOL 2.4: channels and requests of forwarding, both sides; a message's
 * put and get stand together. The put functions append what follows the common fields (what ly_channel_open
 * and ly_global_request call `data`), the get functions read it: views into it, false when it is malformed.
 */
#ifndef LY_CONNECTION_FORWARD_H
#define LY_CONNECTION_FORWARD_H

#include "connection/connection.h"

/* "direct-tcpip" (host, port: where to connect) and "forwarded-tcpip" (host, port: what was bound, literally
 * as it was asked for); the origin is whoever connected. "x11" has only the origin. */
typedef struct LyTcpipOpen {
    LyBytes host;
    uint32_t port;
    LyBytes origin;
    uint32_t origin_port;
} LyTcpipOpen;
void ly_put_tcpip_open(LyBuf *data, const LyTcpipOpen *open);
bool ly_get_tcpip_open(LyBytes data, LyTcpipOpen *open);
void ly_put_x11_open(LyBuf *data, LyBytes origin, uint32_t origin_port);
bool ly_get_x11_open(LyBytes data, LyBytes *origin, uint32_t *origin_port);
LyChannel *ly_channel_open_direct_tcpip(LyConnection *connection, const LyTcpipOpen *open,
                                        const LyChannelOptions *options);

/* "direct-streamlocal@openssh.com" (two reserved fields follow the path) and
 * "forwarded-streamlocal@openssh.com" (one). */
void ly_put_direct_streamlocal(LyBuf *data, LyBytes path);
bool ly_get_direct_streamlocal(LyBytes data, LyBytes *path);
void ly_put_forwarded_streamlocal(LyBuf *data, LyBytes path);
bool ly_get_forwarded_streamlocal(LyBytes data, LyBytes *path);
LyChannel *ly_channel_open_direct_streamlocal(LyConnection *connection, LyBytes path,
                                              const LyChannelOptions *options);

/* "tcpip-forward" and "cancel-tcpip-forward": address "" is every one; port 0 lets the server choose, and its
 * reply brings the port (ly_get_forwarded_port). */
void ly_put_tcpip_forward(LyBuf *data, LyBytes address, uint32_t port);
bool ly_get_tcpip_forward(LyBytes data, LyBytes *address, uint32_t *port);
void ly_put_forwarded_port(LyBuf *reply, uint32_t port);
bool ly_get_forwarded_port(LyBytes reply, uint32_t *port);
/* "streamlocal-forward@openssh.com" and "cancel-streamlocal-forward@openssh.com" */
void ly_put_streamlocal_forward(LyBuf *data, LyBytes path);
bool ly_get_streamlocal_forward(LyBytes data, LyBytes *path);

#endif
