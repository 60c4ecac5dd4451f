#include "beside.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

static char *if_there(char *path)
{
    if (access(path, X_OK) == 0)
        return path;
    ly_free(path);
    return NULL;
}

char *program_beside(const char *name)
{
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    self[len > 0 ? len : 0] = 0;
    char *slash = strrchr(self, '/');
    char *beside = slash ? if_there(ly_format("%.*s/%s", (int)(slash - self), self, name)) : NULL;
    return beside ? beside : if_there(ly_format(LY_LIBEXECDIR "/%s", name));
}
