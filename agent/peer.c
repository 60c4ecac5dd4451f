#include "peer.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/error.h"

#define CHAIN_MAX 5

bool peer_credentials(int fd, int64_t *pid, int64_t *uid)
{
    struct ucred credentials;
    socklen_t len = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) != 0)
        return false;
    *pid = credentials.pid;
    *uid = credentials.uid;
    return true;
}

/* "PID (name) state parent ...", where the name may hold anything, parentheses too. */
static bool read_stat(int64_t pid, char name[32], int64_t *parent)
{
    char path[48], text[512];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (got <= 0)
        return false;
    text[got] = 0;
    char *open_ = strchr(text, '('), *close_ = strrchr(text, ')');
    if (!open_ || !close_ || close_ < open_ || strlen(close_) < 5)
        return false;
    snprintf(name, 32, "%.*s", (int)(close_ - open_ - 1), open_ + 1);
    *parent = strtol(close_ + 4, NULL, 10);
    return true;
}

static bool read_executable(int64_t pid, char path[PATH_MAX])
{
    char link[48];
    snprintf(link, sizeof link, "/proc/%ld/exe", (long)pid);
    ssize_t len = readlink(link, path, PATH_MAX - 1);
    if (len <= 0)
        return false;
    path[len] = 0;
    return true;
}

char *peer_program(int64_t pid)
{
    char path[PATH_MAX], name[32];
    int64_t parent;
    if (pid <= 0)
        return NULL;
    if (read_executable(pid, path))
        return ly_strdup(path);
    return read_stat(pid, name, &parent) ? ly_strdup(name) : NULL;
}

char *peer_chain(int64_t pid)
{
    LyBuf chain = {0};
    for (int i = 0; i < CHAIN_MAX && pid > 1; i++) {
        char path[PATH_MAX], name[32];
        int64_t parent;
        if (!read_stat(pid, name, &parent))
            break;
        const char *slash = read_executable(pid, path) ? strrchr(path, '/') : NULL;
        const char *shown = slash ? slash + 1 : name;
        if (i && strcmp(shown, "systemd") == 0)
            break;
        ly_buf_add_format(&chain, "%s%s", i ? " < " : "", LY_PRINTABLE(ly_bytes_str(shown)));
        pid = parent;
    }
    char *text = chain.len ? ly_strdup(ly_buf_str(&chain)) : NULL;
    ly_buf_free(&chain);
    return text;
}

bool peer_is_self(const LyAgentPeer *peer)
{
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len <= 0 || !peer->program || peer->claimed)
        return false;
    self[len] = 0;
    char *deleted = strstr(self, " (deleted)");
    if (deleted)
        *deleted = 0;
    return strcmp(self, peer->program) == 0;
}
