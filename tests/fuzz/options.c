/* lanyardfs's command line: the input's lines are its arguments. */
#include "fuzz.h"

#include "options.h"

enum { ARGUMENTS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *argv[ARGUMENTS_MAX + 2] = {ly_strdup("lanyardfs")};
    int argc = 1;
    LyBytes rest = ly_bytes(data, len), line;
    while (argc <= ARGUMENTS_MAX && ly_bytes_line(&rest, &line))
        if (!line.len || !memchr(line.data, 0, line.len))
            argv[argc++] = ly_bytes_dup_str(line);
    /* getopt(3) moves the pointers about, so they are freed by another list. */
    char *copies[ARGUMENTS_MAX + 2];
    memcpy(copies, argv, sizeof argv);
    Options options = {0};
    LyError error = {0};
    bool right = options_read(&options, argc, argv, &error);
    FUZZ_ASSERT(right == (error.code == LY_OK) && right == (error.message[0] == 0));
    FUZZ_ASSERT(!right || options.help || options.version || (options.host && options.mountpoint));
    options_clear(&options);
    for (int i = 0; i < argc; i++)
        ly_free(copies[i]);
    return 0;
}
