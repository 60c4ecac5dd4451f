#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "files.h"

char *file_home_path(const char *path)
{
    const char *home = getenv("HOME"); /* as ssh of MSYS2 and git have it */
    if (!home || !home[0])
        home = getenv("USERPROFILE");
    if (path[0] != '~' || (path[1] != '/' && path[1] != 0))
        return ly_strdup(path);
    return ly_format("%s%s", home ? home : "", path + 1);
}
