/* show: what a file's keys are. */
#include "commands.h"

static Status show_run(Tool *tool, void *values, int argc, char **argv)
{
    Status status = STATUS_OK;
    for (int i = 0; i < argc; i++) {
        LoadedKey loaded;
        Status one = tool_load_key(tool, argv[i], NEED_PUBLIC, &loaded);
        status = one ? one : status;
        loaded_key_clear(&loaded);
    }
    return status;
}

const Command show_command = {
    .name = "show",
    .arguments = "FILE...",
    .summary = "Show what the keys of files are",
    .least = 1,
    .most = -1,
    .run = show_run,
};
