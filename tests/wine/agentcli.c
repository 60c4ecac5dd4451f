/* The clients of the bridge's tests: well-behaved and hostile ones. Requests and replies are hex digits, a
 * reply a line. agentcli window HEX... | window-many COUNT HEX | window-case CASE HEX | pipe PATH HEX... |
 * pipe-many PATH COUNT HEX | pipe-stall PATH | pipe-security PATH | file-security PATH | relay FILE | dialog
 * yes|no|TEXT | close
 */
#include "upstream.h"

#include <fcntl.h>
#include <io.h>
#include <sddl.h>
#include <aclapi.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/pageant.h"
#include "base/auto.h"
#include "base/memory.h"
#include "base/wire.h"
#include "dialog.h"

static void fail(const char *what)
{
    fprintf(stderr, "agentcli: %s: error %lu\n", what, GetLastError());
    exit(1);
}

static LyBuf from_hex(const char *hex)
{
    LyBuf out = {0};
    for (; hex[0] && hex[1]; hex += 2)
        ly_put_u8(&out, (uint8_t)strtoul((char[]){hex[0], hex[1], 0}, NULL, 16));
    return out;
}

static char *to_hex(LyBytes bytes)
{
    LyBuf out = {0};
    for (size_t i = 0; i < bytes.len; i++)
        ly_buf_add_format(&out, "%02x", bytes.data[i]);
    return (char *)(uintptr_t)ly_buf_str(&out);
}

/* --- The window --- */

/* How a client misbehaves; all zero is how PuTTY does it. */
typedef struct Case {
    const char *name;
    size_t map_len;       /* 0: 262144 */
    uint64_t dw_data;     /* 0: Pageant's */
    const char *owner;    /* NULL: the user; "": no owner given; else a SID */
    const char *map_name; /* NULL: PageantRequest and the thread's number */
    bool no_nul, no_data, no_map, nul_within;
    uint32_t length; /* what the map claims, if not 0 */
    bool zero_length;
} Case;

static const Case cases[] = {
    {.name = "plain"},
    {.name = "small-map", .map_len = 8192},
    {.name = "any-name", .map_name = "SSHAgentRequest00000001"},
    {.name = "sign-extended", .dw_data = 0xffffffff804e50baU},
    {.name = "wrong-dwdata", .dw_data = 0x804e50bb},
    {.name = "no-nul", .no_nul = true},
    {.name = "nul-within", .nul_within = true},
    {.name = "no-data", .no_data = true},
    {.name = "no-map", .no_map = true},
    {.name = "null-owner", .owner = ""},
    {.name = "foreign-owner", .owner = "S-1-5-21-1-2-3-4567"},
    {.name = "beyond-map", .length = 262141},
    {.name = "huge-length", .length = 0xffffffff},
    {.name = "zero-length", .zero_length = true},
    {.name = "size-4", .map_len = 4},
    {.name = "size-4-beyond", .map_len = 4, .length = 4093},
};

static SECURITY_ATTRIBUTES owned_by(const char *owner)
{
    SECURITY_ATTRIBUTES attributes = {.nLength = sizeof attributes};
    User user;
    LyError error;
    if (!owner && !user_get(&user, &error))
        fail(error.message);
    LY_AUTO_FREE char *text = ly_format("O:%sD:(A;;GA;;;WD)", owner ? owner : user.sid_text);
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorA(text, SDDL_REVISION_1,
                                                              &attributes.lpSecurityDescriptor, NULL))
        fail("security descriptor");
    return attributes;
}

/* The reply's hex digits, or "refused" (SendMessage returned 0). */
static char *window_ask(const Case *how, LyBytes request)
{
    HWND window = FindWindowA("Pageant", "Pageant");
    if (!window)
        fail("there is no Pageant window");
    char name[64];
    snprintf(name, sizeof name, "PageantRequest%08lx", GetCurrentThreadId());
    if (how->map_name)
        snprintf(name, sizeof name, "%s", how->map_name);
    SECURITY_ATTRIBUTES attributes = {0};
    bool given = !how->owner || *how->owner;
    if (given)
        attributes = owned_by(how->owner);
    size_t map_len = how->map_len ? how->map_len : 262144;
    HANDLE map = CreateFileMappingA(INVALID_HANDLE_VALUE, given ? &attributes : NULL, PAGE_READWRITE, 0,
                                    (DWORD)map_len, name);
    uint8_t *view = map ? MapViewOfFile(map, FILE_MAP_WRITE, 0, 0, 0) : NULL;
    if (!view)
        fail("mapping");
    ly_store_u32(view, how->zero_length ? 0 : how->length ? how->length : (uint32_t)request.len);
    memcpy(view + 4, request.data, request.len);
    if (how->no_map)
        snprintf(name, sizeof name, "PageantRequestThatIsNot");
    if (how->nul_within)
        name[4] = 0;
    COPYDATASTRUCT copy = {.dwData = how->dw_data ? how->dw_data : LY_PAGEANT_COPYDATA,
                           .cbData = how->no_data      ? 0
                                     : how->nul_within ? 23
                                                       : (DWORD)strlen(name) + !how->no_nul,
                           .lpData = how->no_data ? NULL : name};
    LRESULT result = SendMessageA(window, WM_COPYDATA, 0, (LPARAM)&copy);
    size_t len = ly_load_u32(view);
    char *text = result <= 0                       ? ly_strdup("refused")
                 : len > LY_MAX(map_len, 4096) - 4 ? ly_strdup("beyond the map")
                                                   : to_hex(ly_bytes(view + 4, len));
    if (result <= 0 && len != request.len && !how->length && !how->zero_length)
        text = ly_strdup("refused, but the map was written");
    UnmapViewOfFile(view);
    CloseHandle(map);
    return text;
}

typedef struct Asking {
    const char *pipe; /* or NULL: the window */
    LyBytes request;
    char *reply;
    HANDLE all_open, done;
    volatile LONG *open;
} Asking;

/* --- The pipe --- */

static HANDLE pipe_open(const char *path)
{
    for (;;) {
        HANDLE pipe = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
        if (pipe != INVALID_HANDLE_VALUE)
            return pipe;
        if (GetLastError() != ERROR_PIPE_BUSY || !WaitNamedPipeA(path, NMPWAIT_WAIT_FOREVER))
            fail(path);
    }
}

/* As PuTTY does: a pipe of somebody else's is an impostor's. */
static void check_owner(HANDLE pipe)
{
    PSID owner = NULL;
    User user;
    LyError error;
    if (GetSecurityInfo(pipe, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL, NULL, NULL) !=
            ERROR_SUCCESS ||
        !user_get(&user, &error) || !owner || !EqualSid(owner, user.sid)) {
        fprintf(stderr, "agentcli: the pipe is not the user's\n");
        exit(1);
    }
}

static void write_all(HANDLE pipe, LyBytes bytes)
{
    for (DWORD len; bytes.len; bytes = ly_bytes_slice(bytes, len, bytes.len))
        if (!WriteFile(pipe, bytes.data, (DWORD)bytes.len, &len, NULL))
            fail("write");
}

static void read_all(HANDLE pipe, uint8_t *data, size_t len)
{
    for (DWORD got; len; data += got, len -= got)
        if (!ReadFile(pipe, data, (DWORD)len, &got, NULL) || got == 0)
            fail("read");
}

static char *pipe_ask(HANDLE pipe, LyBytes request)
{
    uint8_t length[4];
    ly_store_u32(length, (uint32_t)request.len);
    write_all(pipe, ly_bytes(length, 4));
    write_all(pipe, request);
    read_all(pipe, length, 4);
    size_t len = ly_load_u32(length);
    if (len > 262144)
        fail("length of the reply");
    uint8_t *reply = ly_alloc(len);
    read_all(pipe, reply, len);
    return to_hex(ly_bytes(reply, len));
}

static DWORD WINAPI ask(void *argument)
{
    Asking *asking = argument;
    HANDLE pipe = asking->pipe ? pipe_open(asking->pipe) : NULL;
    /* All are connected before the first one asks. */
    if (InterlockedDecrement(asking->open) == 0)
        SetEvent(asking->all_open);
    WaitForSingleObject(asking->all_open, INFINITE);
    asking->reply = pipe ? pipe_ask(pipe, asking->request) : window_ask(&cases[0], asking->request);
    SetEvent(asking->done);
    if (pipe)
        CloseHandle(pipe);
    return 0;
}

static void ask_many(const char *pipe, unsigned count, LyBytes request)
{
    Asking *all = ly_new_array(Asking, count);
    HANDLE all_open = CreateEventA(NULL, TRUE, FALSE, NULL);
    volatile LONG open = (LONG)count;
    for (unsigned i = 0; i < count; i++) {
        all[i] = (Asking){pipe, request, NULL, all_open, CreateEventA(NULL, TRUE, FALSE, NULL), &open};
        CloseHandle(CreateThread(NULL, 0, ask, &all[i], 0, NULL));
    }
    for (unsigned i = 0; i < count; i++) {
        WaitForSingleObject(all[i].done, INFINITE);
        printf("%s\n", all[i].reply);
    }
}

/* --- The rest --- */

static void file_security(const char *path)
{
    PSECURITY_DESCRIPTOR descriptor;
    char *text;
    if (GetNamedSecurityInfoA(path, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
                              NULL, NULL, NULL, NULL, &descriptor) != ERROR_SUCCESS ||
        !ConvertSecurityDescriptorToStringSecurityDescriptorA(
            descriptor, SDDL_REVISION_1, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &text, NULL))
        fail(path);
    printf("%s %s\n", GetFileAttributesA(path) & FILE_ATTRIBUTE_SYSTEM ? "system" : "plain", text);
}

static void pipe_security(const char *path)
{
    PSECURITY_DESCRIPTOR descriptor;
    char *text;
    if (GetSecurityInfo(pipe_open(path), SE_KERNEL_OBJECT,
                        OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, NULL, NULL, NULL, NULL,
                        &descriptor) != ERROR_SUCCESS ||
        !ConvertSecurityDescriptorToStringSecurityDescriptorA(
            descriptor, SDDL_REVISION_1, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &text, NULL))
        fail(path);
    printf("%s\n", text);
}

static DWORD WINAPI relay_output(void *argument)
{
    const Stream *stream = argument;
    uint8_t data[4096];
    for (size_t len; (len = stream_read(stream, data, sizeof data, UINT64_MAX)) > 0;)
        write_all(GetStdHandle(STD_OUTPUT_HANDLE), ly_bytes(data, len));
    ExitProcess(0);
}

/* A program for --command: its standard input and output, to a Cygwin socket file's agent. */
static void relay(const char *path)
{
    static Stream stream;
    LyError error;
    Upstream upstream = {.path = path};
    WSADATA winsock;
    WSAStartup(MAKEWORD(2, 2), &winsock);
    if (!upstream_connect(&upstream, NULL, &stream, &error))
        fail(error.message);
    CloseHandle(CreateThread(NULL, 0, relay_output, &stream, 0, NULL));
    uint8_t data[4096];
    for (DWORD len; ReadFile(GetStdHandle(STD_INPUT_HANDLE), data, sizeof data, &len, NULL) && len > 0;)
        stream_write(&stream, ly_bytes(data, len), UINT64_MAX);
    ExitProcess(0);
}

/* Prints the text of the dialog that is there within ten seconds, and answers it. */
static void dialog(const char *answer)
{
    HWND window = NULL;
    char text[1000] = "";
    for (int i = 0; i < 500 && !(window = FindWindowA("#32770", "lanyard-agent")); i++)
        Sleep(20);
    if (!window)
        fail("there is no dialog");
    SendMessageA(GetDlgItem(window, DIALOG_TEXT), WM_GETTEXT, sizeof text, (LPARAM)text);
    for (char *at = text; *at; at++)
        if (*at == ' ' || *at == '\r' || *at == '\n')
            *at = '_';
    printf("%s\n", text);
    bool no = strcmp(answer, "no") == 0;
    HWND field = GetDlgItem(window, DIALOG_ANSWER);
    if (field && !no)
        SendMessageA(field, WM_SETTEXT, 0, (LPARAM)answer);
    PostMessageA(window, WM_COMMAND, no ? IDCANCEL : IDOK, 0);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    _setmode(_fileno(stdout), _O_BINARY);
    if (strcmp(command, "window") == 0) {
        for (int i = 2; i < argc; i++) {
            LyBuf request = from_hex(argv[i]);
            printf("%s\n", window_ask(&cases[0], ly_buf_bytes(&request)));
        }
    } else if (strcmp(command, "window-case") == 0 && argc == 4) {
        LyBuf request = from_hex(argv[3]);
        size_t found = LY_COUNT(cases);
        for (size_t i = 0; i < LY_COUNT(cases); i++)
            if (strcmp(cases[i].name, argv[2]) == 0)
                found = i;
        if (found == LY_COUNT(cases))
            fail(argv[2]);
        printf("%s\n", window_ask(&cases[found], ly_buf_bytes(&request)));
    } else if (strcmp(command, "window-many") == 0 && argc == 4) {
        LyBuf request = from_hex(argv[3]);
        ask_many(NULL, (unsigned)atoi(argv[2]), ly_buf_bytes(&request));
    } else if (strcmp(command, "pipe") == 0 && argc > 3) {
        HANDLE pipe = pipe_open(argv[2]);
        check_owner(pipe);
        for (int i = 3; i < argc; i++) {
            LyBuf request = from_hex(argv[i]);
            printf("%s\n", pipe_ask(pipe, ly_buf_bytes(&request)));
        }
    } else if (strcmp(command, "pipe-many") == 0 && argc == 5) {
        LyBuf request = from_hex(argv[4]);
        ask_many(argv[2], (unsigned)atoi(argv[3]), ly_buf_bytes(&request));
    } else if (strcmp(command, "pipe-stall") == 0 && argc == 3) {
        HANDLE pipe = pipe_open(argv[2]);
        write_all(pipe, LY_BYTES("\0\0"));
        printf("stalled\n");
        fflush(stdout);
        Sleep(INFINITE);
    } else if (strcmp(command, "pipe-security") == 0 && argc == 3) {
        pipe_security(argv[2]);
    } else if (strcmp(command, "file-security") == 0 && argc == 3) {
        file_security(argv[2]);
    } else if (strcmp(command, "relay") == 0 && argc == 3) {
        relay(argv[2]);
    } else if (strcmp(command, "dialog") == 0 && argc == 3) {
        dialog(argv[2]);
    } else if (strcmp(command, "close") == 0) {
        PostMessageA(FindWindowA("Pageant", "Pageant"), WM_CLOSE, 0, 0);
    } else {
        fprintf(stderr, "agentcli: what?\n");
        return 2;
    }
    return 0;
}
