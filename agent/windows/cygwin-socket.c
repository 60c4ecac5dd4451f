#include "transports.h"

#include <ws2tcpip.h>
#include <bcrypt.h>

#include "agent/cygwin.h"
#include "base/auto.h"
#include "base/memory.h"

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Either side of the handshake. It takes no byte that is not its own, so none is left over. */
static bool shake_hands(const Stream *stream, LyCygwinHandshake *handshake, LyBuf *out, uint64_t deadline_ms)
{
    while (!handshake->failed) {
        if (out->len && !stream_write(stream, ly_buf_bytes(out), deadline_ms))
            return false;
        ly_buf_clear(out);
        if (handshake->done)
            return true;
        uint8_t byte;
        if (stream_read(stream, &byte, 1, deadline_ms) != 1)
            return false;
        ly_cygwin_handshake_receive(handshake, ly_bytes(&byte, 1), out);
    }
    return false;
}

/* --- As a client --- */

static bool connect_within(SOCKET fd, const struct sockaddr_in *address, LyError *error)
{
    unsigned long nonblocking = 1;
    ioctlsocket(fd, FIONBIO, &nonblocking);
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        if (WSAGetLastError() != WSAEWOULDBLOCK)
            return windows_error(error, (DWORD)WSAGetLastError(), "cannot connect to the agent");
        fd_set writable, broken;
        FD_ZERO(&writable);
        FD_ZERO(&broken);
        FD_SET(fd, &writable);
        FD_SET(fd, &broken);
        struct timeval wait = {.tv_sec = CONNECT_WAIT_MS / 1000};
        if (select(0, NULL, &writable, &broken, &wait) <= 0)
            return ly_error_set(error, LY_ERROR_TIMEOUT, "cannot connect to the agent: it does not answer");
        int code = 0, len = sizeof code;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, (char *)&code, &len);
        if (code != 0 || FD_ISSET(fd, &broken))
            return windows_error(error, (DWORD)(code ? code : WSAECONNREFUSED),
                                 "cannot connect to the agent");
    }
    nonblocking = 0;
    ioctlsocket(fd, FIONBIO, &nonblocking);
    return true;
}

bool cygwin_connect(LyBytes file_text, Stream *stream, LyError *error)
{
    LyCygwinFile file;
    if (!ly_get_cygwin_file(file_text, &file, error))
        return false;
    SOCKET fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (fd == INVALID_SOCKET)
        return windows_error(error, (DWORD)WSAGetLastError(), "cannot make a socket");
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (const char *)&yes, sizeof yes);
    struct sockaddr_in address = loopback(file.port);
    Stream made = stream_of_socket(fd);
    /* Agents let in their own uid and root; Windows does not know what uid Cygwin gives this user, and
     * whoever can read the file has proved as much as Cygwin's own clients prove. */
    LyCygwinCredentials ours = {.pid = (int32_t)GetCurrentProcessId()};
    LyCygwinHandshake handshake;
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    bool connected = connect_within(fd, &address, error);
    if (connected) {
        ly_cygwin_handshake_begin(&handshake, false, &file, ours, &out);
        connected = shake_hands(&made, &handshake, &out, GetTickCount64() + HANDSHAKE_WAIT_MS);
        if (!connected)
            ly_error_set(error, LY_ERROR_PROTOCOL,
                         "what listens at 127.0.0.1:%u is not the agent that wrote this Cygwin socket file",
                         (unsigned)file.port);
        ly_cleanse(&handshake, sizeof handshake);
    }
    ly_cleanse(&file, sizeof file);
    if (connected)
        *stream = made;
    else
        stream_close(&made);
    return connected;
}

/* --- As the listener --- */

typedef struct Server {
    Transports *transports;
    SOCKET listener;
    LyCygwinFile file;
} Server;

typedef struct Client {
    Server *server;
    SOCKET socket;
} Client;

static bool welcome(const Server *server, const Stream *stream, Peer *peer)
{
    LyCygwinHandshake handshake;
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    ly_cygwin_handshake_begin(&handshake, true, &server->file,
                              (LyCygwinCredentials){.pid = (int32_t)GetCurrentProcessId()}, &out);
    bool welcome = shake_hands(stream, &handshake, &out, GetTickCount64() + HANDSHAKE_WAIT_MS);
    peer->pid = handshake.theirs.pid > 0 ? handshake.theirs.pid : 0;
    ly_cleanse(&handshake, sizeof handshake);
    return welcome;
}

static DWORD WINAPI serve_client(void *argument)
{
    Client *client = argument;
    Server *server = client->server;
    Transports *transports = server->transports;
    Stream stream = stream_of_socket(client->socket);
    Peer peer = {.transport = "cygwin", .claimed = true};
    ly_free(client);
    bool welcomed = welcome(server, &stream, &peer);
    transports_leave(&transports->handshakes);
    if (welcomed)
        transports->serve(transports, &stream, &peer);
    else
        ly_log(&transports->log, LY_LOG_INFO,
               "a client of the Cygwin socket did not know its secret in time");
    stream_shutdown(&stream);
    stream_close(&stream);
    transports_leave(&transports->clients);
    return 0;
}

static bool hand_over(Server *server, SOCKET socket)
{
    Transports *transports = server->transports;
    if (!transports_enter(&transports->handshakes, HANDSHAKES_MAX))
        return false;
    if (transports_enter(&transports->clients, CLIENTS_MAX)) {
        Client *client = ly_new(Client);
        *client = (Client){server, socket};
        if (transports_thread(serve_client, client))
            return true;
        ly_free(client);
        transports_leave(&transports->clients);
    }
    transports_leave(&transports->handshakes);
    return false;
}

static DWORD WINAPI accept_clients(void *argument)
{
    Server *server = argument;
    for (;;) {
        SOCKET socket = accept(server->listener, NULL, NULL);
        if (socket == INVALID_SOCKET) {
            Sleep(100);
            continue;
        }
        int yes = 1;
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, (const char *)&yes, sizeof yes);
        if (!hand_over(server, socket)) {
            ly_log(&server->transports->log, LY_LOG_WARNING,
                   "too many clients of the Cygwin socket: one was closed");
            closesocket(socket);
        }
    }
    return 0;
}

static bool listen_on_loopback(Server *server)
{
    server->listener = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    struct sockaddr_in address = loopback(0);
    int yes = 1, len = sizeof address;
    if (server->listener == INVALID_SOCKET)
        return false;
    SetHandleInformation((HANDLE)server->listener, HANDLE_FLAG_INHERIT, 0);
    if (setsockopt(server->listener, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&yes, sizeof yes) != 0 ||
        bind(server->listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->listener, SOMAXCONN) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &len) != 0)
        return false;
    server->file.port = ntohs(address.sin_port);
    return true;
}

/* Deletes what a listener that is gone left behind; anything else that has the name is the caller's trouble.
 */
static bool make_way(const char *path, LyError *error)
{
    uint8_t text[LY_CYGWIN_FILE_MAX];
    DWORD len = 0;
    HANDLE file =
        CreateFileA(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return true;
    if (!ReadFile(file, text, sizeof text, &len, NULL))
        len = 0;
    CloseHandle(file);
    Stream stream = STREAM_NONE;
    if (!ly_is_cygwin_file(ly_bytes(text, len)))
        return ly_error_set(error, LY_ERROR_INVALID,
                            "%s exists and is not a Cygwin socket file; it is left alone",
                            LY_PRINTABLE(ly_bytes_str(path)));
    if (cygwin_connect(ly_bytes(text, len), &stream, NULL)) {
        stream_close(&stream);
        return ly_error_set(error, LY_ERROR_INVALID, "another agent listens at %s",
                            LY_PRINTABLE(ly_bytes_str(path)));
    }
    SetFileAttributesA(path, FILE_ATTRIBUTE_NORMAL);
    if (!DeleteFileA(path))
        return windows_error(error, GetLastError(), "cannot replace %s", LY_PRINTABLE(ly_bytes_str(path)));
    return true;
}

/* Nobody else can open the file until it is whole. */
static bool publish(const Server *server, const char *path, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    ly_put_cygwin_file(&server->file, &text);
    HANDLE file =
        CreateFileA(path, GENERIC_WRITE, 0, (SECURITY_ATTRIBUTES *)&server->transports->user.only_user_file,
                    CREATE_NEW, FILE_ATTRIBUTE_SYSTEM, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return windows_error(error, GetLastError(), "cannot make %s", LY_PRINTABLE(ly_bytes_str(path)));
    DWORD len = 0;
    bool written = WriteFile(file, text.data, (DWORD)text.len, &len, NULL) && len == text.len;
    DWORD code = GetLastError();
    CloseHandle(file);
    if (!written) {
        windows_error(error, code, "cannot write %s", LY_PRINTABLE(ly_bytes_str(path)));
        DeleteFileA(path);
    }
    return written;
}

bool cygwin_start(Transports *transports, const char *path, LyError *error)
{
    Server *server = ly_new(Server); /* lives as long as the program */
    server->transports = transports;
    if (!make_way(path, error))
        return false;
    if (!listen_on_loopback(server))
        return windows_error(error, (DWORD)WSAGetLastError(), "cannot listen on 127.0.0.1");
    if (BCryptGenRandom(NULL, server->file.secret, sizeof server->file.secret,
                        BCRYPT_USE_SYSTEM_PREFERRED_RNG) < 0)
        return ly_error_set(error, LY_ERROR_CRYPTO, "this Windows has no random numbers (bcrypt.dll)");
    if (!transports_thread(accept_clients, server))
        return windows_error(error, GetLastError(), "cannot start a thread");
    return publish(server, path, error);
}
