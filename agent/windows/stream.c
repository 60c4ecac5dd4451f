#include "transports.h"

#include "base/memory.h"

enum { PIECE = 16384, END_WAIT_MS = 2000 };

Stream stream_of_socket(SOCKET socket)
{
    Stream stream = STREAM_NONE;
    stream.socket = socket;
    return stream;
}

Stream stream_of_pipe(HANDLE pipe)
{
    Stream stream = STREAM_NONE;
    stream.input = stream.output = pipe;
    return stream;
}

static void close_handle(HANDLE *handle)
{
    if (*handle != INVALID_HANDLE_VALUE)
        CloseHandle(*handle);
    *handle = INVALID_HANDLE_VALUE;
}

void stream_shutdown(Stream *stream)
{
    if (stream->socket != INVALID_SOCKET)
        shutdown(stream->socket, SD_SEND);
    else if (stream->output != stream->input)
        close_handle(&stream->output);
}

void stream_close(Stream *stream)
{
    if (stream->socket != INVALID_SOCKET)
        closesocket(stream->socket);
    if (stream->output == stream->input)
        stream->output = INVALID_HANDLE_VALUE;
    close_handle(&stream->output);
    close_handle(&stream->input);
    if (stream->process) {
        WaitForSingleObject(stream->process, END_WAIT_MS);
        CloseHandle(stream->process);
    }
    if (stream->job)
        CloseHandle(stream->job); /* which ends what is left */
    *stream = STREAM_NONE;
}

static HANDLE handle_of(const Transfer *transfer)
{
    const Stream *stream = transfer->stream;
    return stream->socket != INVALID_SOCKET ? (HANDLE)stream->socket
           : transfer->writes               ? stream->output
                                            : stream->input;
}

bool transfer_begin(Transfer *transfer, uint8_t *data, size_t len)
{
    const Stream *stream = transfer->stream;
    HANDLE event = transfer->overlapped.hEvent;
    transfer->overlapped = (OVERLAPPED){.hEvent = event};
    ResetEvent(event);
    bool begun;
    DWORD code;
    if (stream->socket != INVALID_SOCKET) {
        WSABUF part = {.len = (ULONG)len, .buf = (char *)data};
        DWORD flags = 0;
        begun = (transfer->writes
                     ? WSASend(stream->socket, &part, 1, NULL, 0, &transfer->overlapped, NULL)
                     : WSARecv(stream->socket, &part, 1, NULL, &flags, &transfer->overlapped, NULL)) == 0;
        code = (DWORD)WSAGetLastError();
    } else {
        begun = transfer->writes ? WriteFile(stream->output, data, (DWORD)len, NULL, &transfer->overlapped)
                                 : ReadFile(stream->input, data, (DWORD)len, NULL, &transfer->overlapped);
        code = GetLastError();
    }
    transfer->pending = begun || code == ERROR_IO_PENDING;
    return transfer->pending;
}

size_t transfer_end(Transfer *transfer, bool cancel)
{
    if (!transfer->pending)
        return 0;
    transfer->pending = false;
    HANDLE handle = handle_of(transfer);
    if (cancel)
        CancelIoEx(handle, &transfer->overlapped);
    DWORD len = 0, flags = 0;
    bool done =
        transfer->stream->socket != INVALID_SOCKET
            ? WSAGetOverlappedResult(transfer->stream->socket, &transfer->overlapped, &len, TRUE, &flags)
            : GetOverlappedResult(handle, &transfer->overlapped, &len, TRUE);
    return done ? len : 0;
}

static DWORD wait_of(uint64_t deadline_ms)
{
    uint64_t now_ms = GetTickCount64();
    return deadline_ms <= now_ms ? 0 : (DWORD)LY_MIN(deadline_ms - now_ms, (uint64_t)INFINITE);
}

static size_t transfer_once(const Stream *stream, bool writes, uint8_t *data, size_t len,
                            uint64_t deadline_ms)
{
    Transfer transfer = {.stream = stream, .writes = writes};
    transfer.overlapped.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL);
    if (!transfer.overlapped.hEvent)
        return 0;
    size_t moved = 0;
    if (transfer_begin(&transfer, data, len)) {
        bool late = WaitForSingleObject(transfer.overlapped.hEvent, wait_of(deadline_ms)) != WAIT_OBJECT_0;
        moved = transfer_end(&transfer, late);
    }
    CloseHandle(transfer.overlapped.hEvent);
    return moved;
}

size_t stream_read(const Stream *stream, uint8_t *data, size_t room, uint64_t deadline_ms)
{
    return transfer_once(stream, false, data, room, deadline_ms);
}

bool stream_write(const Stream *stream, LyBytes bytes, uint64_t deadline_ms)
{
    for (size_t done = 0, moved; done < bytes.len; done += moved) {
        size_t len = LY_MIN(bytes.len - done, (size_t)PIECE);
        moved = transfer_once(stream, true, (uint8_t *)(uintptr_t)bytes.data + done, len, deadline_ms);
        if (moved == 0)
            return false;
    }
    return true;
}

/* One way of a relay: what was read is written before more is read. */
typedef struct Direction {
    Transfer read, write;
    uint8_t *data; /* PIECE bytes */
    size_t len, done;
} Direction;

static bool direction_read(Direction *direction)
{
    return transfer_begin(&direction->read, direction->data, PIECE);
}

static bool direction_write(Direction *direction)
{
    return transfer_begin(&direction->write, direction->data + direction->done,
                          direction->len - direction->done);
}

/* What was under way has ended: goes on with the next. */
static bool direction_go_on(Direction *direction)
{
    if (direction->read.pending) {
        direction->len = transfer_end(&direction->read, false);
        direction->done = 0;
        return direction->len > 0 && direction_write(direction);
    }
    size_t moved = transfer_end(&direction->write, false);
    direction->done += moved;
    if (moved == 0)
        return false;
    return direction->done < direction->len ? direction_write(direction) : direction_read(direction);
}

void stream_relay(const Stream *client, Stream *agent)
{
    uint8_t *data = ly_alloc((size_t)2 * PIECE);
    HANDLE events[2] = {CreateEventA(NULL, TRUE, FALSE, NULL), CreateEventA(NULL, TRUE, FALSE, NULL)};
    Direction ways[2] = {
        {.read = {.stream = client}, .write = {.stream = agent, .writes = true}, .data = data},
        {.read = {.stream = agent}, .write = {.stream = client, .writes = true}, .data = data + PIECE},
    };
    for (size_t i = 0; i < 2; i++)
        ways[i].read.overlapped.hEvent = ways[i].write.overlapped.hEvent = events[i];
    bool going = events[0] && events[1] && direction_read(&ways[0]) && direction_read(&ways[1]);
    DWORD wait_ms = INFINITE;
    while (going) {
        DWORD woken = WaitForMultipleObjects(2, events, FALSE, wait_ms);
        if (woken == WAIT_OBJECT_0 && !direction_go_on(&ways[0])) {
            /* The client has said all; what the agent still answers is carried to it. */
            transfer_end(&ways[0].write, true);
            stream_shutdown(agent);
            ResetEvent(events[0]);
            wait_ms = END_WAIT_MS;
        } else if (woken != WAIT_OBJECT_0) {
            going = woken == WAIT_OBJECT_0 + 1 && direction_go_on(&ways[1]);
        }
    }
    for (size_t i = 0; i < 2; i++) {
        transfer_end(&ways[i].read, true);
        transfer_end(&ways[i].write, true);
        if (events[i])
            CloseHandle(events[i]);
    }
    ly_cleanse(data, (size_t)2 * PIECE);
    ly_free(data);
}
