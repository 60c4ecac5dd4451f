#include "peer.h"

#include <strings.h>
#include <windows.h>

#include "base/auto.h"
#include "base/memory.h"

enum { PATH_ROOM = 32768 };

char *peer_program(int64_t pid)
{
    HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)pid);
    char *path = ly_alloc(PATH_ROOM);
    DWORD len = PATH_ROOM;
    bool known = process && QueryFullProcessImageNameA(process, 0, path, &len);
    if (process)
        CloseHandle(process);
    char *program = known ? ly_strdup(path) : NULL;
    ly_free(path);
    return program;
}

/* Without its parents: Windows gives a parent's number to another process when it ends. */
char *peer_chain(int64_t pid)
{
    return peer_program(pid);
}

bool peer_is_self(const LyAgentPeer *peer)
{
    LY_AUTO_FREE char *self = peer_program(GetCurrentProcessId());
    return self && peer->program && !peer->claimed && strcasecmp(self, peer->program) == 0;
}
