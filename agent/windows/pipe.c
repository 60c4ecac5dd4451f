#include "transports.h"

#define SECURITY_WIN32
#include <bcrypt.h>
#include <security.h>
#include <wincrypt.h>

#include "agent/pageant.h"
#include "base/auto.h"
#include "base/memory.h"

enum { BUFFER_LEN = 4096, SHA256_LEN = 32 };

/* --- The name of PuTTY's pipe --- */

static bool sha256(LyBytes data, uint8_t digest[SHA256_LEN])
{
    BCRYPT_ALG_HANDLE algorithm = NULL;
    BCRYPT_HASH_HANDLE hash = NULL;
    bool hashed = BCryptOpenAlgorithmProvider(&algorithm, BCRYPT_SHA256_ALGORITHM, NULL, 0) >= 0 &&
                  BCryptCreateHash(algorithm, &hash, NULL, 0, NULL, 0, 0) >= 0 &&
                  BCryptHashData(hash, (uint8_t *)(uintptr_t)data.data, (ULONG)data.len, 0) >= 0 &&
                  BCryptFinishHash(hash, digest, SHA256_LEN, 0) >= 0;
    if (hash)
        BCryptDestroyHash(hash);
    if (algorithm)
        BCryptCloseAlgorithmProvider(algorithm, 0);
    return hashed;
}

/* The part before the @ of user@domain; without a domain, the plain name. */
static bool user_name(char *name, ULONG room)
{
    ULONG len = room;
    if (GetUserNameExA(NameUserPrincipal, name, &len)) {
        name[strcspn(name, "@")] = 0;
        return true;
    }
    len = room;
    return GetUserNameA(name, &len);
}

bool pipe_pageant_name(LyBuf *path, LyError *error)
{
    char user[512];
    uint8_t name[CRYPTPROTECTMEMORY_BLOCK_SIZE] = "Pageant", digest[SHA256_LEN];
    LY_AUTO(ly_buf_free) LyBuf data = {0};
    /* Encrypted with a key that this logon alone has: nobody else can tell the name beforehand. */
    if (!user_name(user, sizeof user) ||
        !CryptProtectMemory(name, sizeof name, CRYPTPROTECTMEMORY_CROSS_PROCESS))
        return windows_error(error, GetLastError(), "cannot derive the name of Pageant's pipe");
    ly_pageant_pipe_data(name, &data);
    if (!sha256(ly_buf_bytes(&data), digest))
        return ly_error_set(error, LY_ERROR_CRYPTO, "this Windows has no SHA-256 (bcrypt.dll)");
    ly_pageant_pipe_name(user, digest, path);
    return true;
}

/* --- Serving --- */

typedef struct Server {
    Transports *transports;
    char *path;
    const char *transport;
    HANDLE next; /* the instance that the next client gets */
} Server;

typedef struct Client {
    Transports *transports;
    const char *transport;
    HANDLE pipe;
} Client;

static HANDLE instance(const Server *server, bool first)
{
    return CreateNamedPipeA(
        server->path, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | (first ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0),
        PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
        PIPE_UNLIMITED_INSTANCES, BUFFER_LEN, BUFFER_LEN, 0,
        (SECURITY_ATTRIBUTES *)&server->transports->user.only_user_pipe);
}

static DWORD WINAPI serve_client(void *argument)
{
    Client *client = argument;
    Transports *transports = client->transports;
    Stream stream = stream_of_pipe(client->pipe);
    Peer peer = {.transport = client->transport};
    ULONG pid = 0;
    if (GetNamedPipeClientProcessId(client->pipe, &pid))
        peer.pid = pid;
    ly_free(client);
    transports->serve(transports, &stream, &peer);
    /* What the client has not read yet would be lost otherwise. A client that does not read has its thread
     * wait, which ends with it. */
    FlushFileBuffers(stream.input);
    DisconnectNamedPipe(stream.input);
    stream_close(&stream);
    transports_leave(&transports->clients);
    return 0;
}

static void hand_over(const Server *server, HANDLE pipe)
{
    Transports *transports = server->transports;
    if (transports_enter(&transports->clients, CLIENTS_MAX)) {
        Client *client = ly_new(Client);
        *client = (Client){transports, server->transport, pipe};
        if (transports_thread(serve_client, client))
            return;
        ly_free(client);
        transports_leave(&transports->clients);
    }
    ly_log(&transports->log, LY_LOG_WARNING, "more than %d clients: one was turned away", CLIENTS_MAX);
    DisconnectNamedPipe(pipe);
    CloseHandle(pipe);
}

/* Waits until the instance has a client; false: it never will. */
static bool wait_for_client(HANDLE pipe)
{
    OVERLAPPED overlapped = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)};
    bool connected = ConnectNamedPipe(pipe, &overlapped);
    DWORD code = connected ? ERROR_PIPE_CONNECTED : GetLastError(), len;
    if (code == ERROR_IO_PENDING)
        connected = GetOverlappedResult(pipe, &overlapped, &len, TRUE);
    else
        connected = code == ERROR_PIPE_CONNECTED;
    CloseHandle(overlapped.hEvent);
    return connected;
}

static DWORD WINAPI accept_clients(void *argument)
{
    Server *server = argument;
    for (;;) {
        bool connected = server->next != INVALID_HANDLE_VALUE && wait_for_client(server->next);
        HANDLE served = server->next;
        /* The next instance first: between two there would be no pipe, and the name free for others. */
        server->next = instance(server, false);
        if (connected)
            hand_over(server, served);
        else if (served != INVALID_HANDLE_VALUE)
            CloseHandle(served);
        if (server->next == INVALID_HANDLE_VALUE)
            Sleep(100);
    }
    return 0;
}

bool pipe_start(Transports *transports, const char *path, const char *transport, LyError *error)
{
    Server *server = ly_new(Server); /* lives as long as the program */
    *server = (Server){.transports = transports, .path = ly_strdup(path), .transport = transport};
    server->next = instance(server, true);
    if (server->next == INVALID_HANDLE_VALUE)
        windows_error(error, GetLastError(),
                      GetLastError() == ERROR_ACCESS_DENIED ? "another agent has %s"
                                                            : "cannot make the pipe %s",
                      LY_PRINTABLE(ly_bytes_str(path)));
    else if (transports_thread(accept_clients, server))
        return true;
    else
        windows_error(error, GetLastError(), "cannot start a thread");
    ly_free(server->path);
    ly_free(server);
    return false;
}
