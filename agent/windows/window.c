#include "transports.h"

#include "agent/pageant.h"
#include "base/auto.h"
#include "base/memory.h"

/* SendMessage's caller waits until the window has answered. While one request is with the agent the window's
 * thread takes further ones, each within the one before; so many, and then they queue. */
enum { NESTED_MAX = 64, NAME_MAX_LEN = 256 };

#define PAGEANT "Pageant"

/* A request on its way to the agent, in a thread of its own. The window's thread waits for `answered` and
 * then owns it again. */
typedef struct Request {
    Transports *transports;
    Peer peer;
    LyBuf request, reply;
    HANDLE answered;
} Request;

typedef struct Window {
    Transports *transports;
    unsigned nested;
    HANDLE ready; /* set when the window is there, or is not */
    LyError error;
    bool there;
} Window;

static DWORD WINAPI ask(void *argument)
{
    Request *request = argument;
    Transports *transports = request->transports;
    Stream agent = STREAM_NONE;
    LyError error;
    if (!transports->ask(transports, ly_buf_bytes(&request->request), &request->peer, &request->reply, &agent,
                         &error)) {
        ly_log(&transports->log, LY_LOG_ERROR, "%s", error.message);
        ly_buf_clear(&request->reply); /* which the client sees as a failure */
    }
    SetEvent(request->answered); /* from here on the request is the window's */
    stream_shutdown(&agent);
    stream_close(&agent);
    transports_leave(&transports->clients);
    return 0;
}

/* Waits with the window alive: messages that others send are handled within. */
static void wait_for(Window *window, HANDLE answered)
{
    if (window->nested >= NESTED_MAX) {
        WaitForSingleObject(answered, INFINITE);
        return;
    }
    window->nested++;
    while (MsgWaitForMultipleObjects(1, &answered, FALSE, INFINITE, QS_ALLINPUT) == WAIT_OBJECT_0 + 1) {
        MSG message;
        while (PeekMessageA(&message, NULL, 0, 0, PM_REMOVE))
            DispatchMessageA(&message);
    }
    window->nested--;
}

/* The reply is empty when there was none. */
static void ask_and_wait(Window *window, Request *request)
{
    Transports *transports = window->transports;
    request->answered = CreateEventA(NULL, TRUE, FALSE, NULL);
    if (request->answered && transports_enter(&transports->clients, CLIENTS_MAX)) {
        if (transports_thread(ask, request))
            wait_for(window, request->answered);
        else
            transports_leave(&transports->clients);
    }
    if (request->answered)
        CloseHandle(request->answered);
}

static size_t view_len(const void *view)
{
    MEMORY_BASIC_INFORMATION information;
    return VirtualQuery(view, &information, sizeof information) == sizeof information ? information.RegionSize
                                                                                      : 0;
}

/* Whether the map holds a reply now: a malformed request is answered as well, with a failure. */
static bool serve_map(Window *window, HANDLE map, const Peer *peer, LyError *error)
{
    if (!user_owns(&window->transports->user, map, error))
        return ly_error_prefix(error, "the client's memory is refused");
    uint8_t *view = MapViewOfFile(map, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 0);
    if (!view)
        return windows_error(error, GetLastError(), "cannot map the client's memory");
    size_t len = view_len(view);
    Request request = {.transports = window->transports,
                       .peer = *peer,
                       .request = LY_BUF(LY_PAGEANT_MESSAGE_MAX),
                       .reply = LY_BUF(LY_PAGEANT_MESSAGE_MAX)};
    LyError malformed;
    if (ly_pageant_get_request(ly_bytes(view, len), &request.request, &malformed))
        ask_and_wait(window, &request);
    else
        ly_log(&window->transports->log, LY_LOG_INFO, "%s", malformed.message);
    ly_pageant_put_reply(ly_buf_bytes(&request.reply), view, len);
    ly_buf_free(&request.request);
    ly_buf_free(&request.reply);
    UnmapViewOfFile(view);
    return true;
}

static bool serve(Window *window, const COPYDATASTRUCT *copy, HWND sender)
{
    LyError error;
    DWORD pid = 0;
    LyBytes name;
    bool named = ly_pageant_map_name(copy->dwData, ly_bytes(copy->lpData, copy->cbData), &name, &error);
    if (named && name.len > NAME_MAX_LEN)
        named = ly_error_set(&error, LY_ERROR_LIMIT, "the name of the client's memory has %u bytes",
                             (unsigned)name.len);
    if (!named) {
        ly_log(&window->transports->log, LY_LOG_INFO, "%s", error.message);
        return false;
    }
    LY_AUTO_FREE char *map_name = ly_bytes_dup_str(name); /* the sender's memory goes when it is answered */
    HANDLE map = OpenFileMappingA(FILE_MAP_ALL_ACCESS, FALSE, map_name);
    if (!map) {
        windows_error(&error, GetLastError(), "cannot open the client's memory %s", LY_PRINTABLE(name));
        ly_log(&window->transports->log, LY_LOG_INFO, "%s", error.message);
        return false;
    }
    GetWindowThreadProcessId(sender, &pid); /* whatever window the client names as its own */
    Peer peer = {.transport = "pageant-window", .pid = pid, .claimed = true};
    bool served = serve_map(window, map, &peer, &error);
    CloseHandle(map);
    if (!served)
        ly_log(&window->transports->log, LY_LOG_WARNING, "%s", error.message);
    return served;
}

static LRESULT CALLBACK procedure(HWND handle, UINT message, WPARAM wparam, LPARAM lparam)
{
    if (message == WM_NCCREATE)
        SetWindowLongPtrA(handle, GWLP_USERDATA, (LONG_PTR)((const CREATESTRUCTA *)lparam)->lpCreateParams);
    Window *window = (Window *)GetWindowLongPtrA(handle, GWLP_USERDATA);
    if (message == WM_COPYDATA && window && lparam)
        return serve(window, (const COPYDATASTRUCT *)lparam, (HWND)wparam);
    if (window && (message == WM_CLOSE || (message == WM_ENDSESSION && wparam))) {
        SetEvent(window->transports->stop);
        return 0;
    }
    return DefWindowProcA(handle, message, wparam, lparam);
}

static bool create(Window *window)
{
    WNDCLASSA class = {
        .lpfnWndProc = procedure, .hInstance = GetModuleHandleA(NULL), .lpszClassName = PAGEANT};
    if (FindWindowA(PAGEANT, PAGEANT))
        return ly_error_set(&window->error, LY_ERROR_INVALID, "another Pageant is running");
    /* Not a message-only window: FindWindow does not find those. It is never shown. */
    if (!RegisterClassA(&class) ||
        !CreateWindowExA(0, PAGEANT, PAGEANT, WS_OVERLAPPEDWINDOW, CW_USEDEFAULT, CW_USEDEFAULT, 100, 100,
                         NULL, NULL, class.hInstance, window))
        return windows_error(&window->error, GetLastError(), "cannot make Pageant's window");
    return true;
}

static DWORD WINAPI run(void *argument)
{
    Window *window = argument;
    window->there = create(window);
    bool there = window->there;
    SetEvent(window->ready); /* the window is the starter's to free if there is none */
    MSG message;
    while (there && GetMessageA(&message, NULL, 0, 0) > 0)
        DispatchMessageA(&message);
    return 0;
}

bool window_start(Transports *transports, LyError *error)
{
    Window *window = ly_new(Window); /* lives as long as the program */
    window->transports = transports;
    window->ready = CreateEventA(NULL, TRUE, FALSE, NULL);
    /* A large stack: requests nest. */
    HANDLE thread = window->ready ? CreateThread(NULL, (SIZE_T)4 << 20, run, window, 0, NULL) : NULL;
    if (!thread)
        return windows_error(error, GetLastError(), "cannot start a thread");
    CloseHandle(thread);
    WaitForSingleObject(window->ready, INFINITE);
    CloseHandle(window->ready);
    if (!window->there && error)
        *error = window->error;
    return window->there;
}
