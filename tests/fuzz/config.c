/* ssh_config: the input is the user's file, which includes itself a few times. */
#include "fuzz.h"

#include "session/config.h"

enum { INCLUDES_MAX = 12 };

typedef struct Files {
    LyBytes text;
    unsigned includes;
} Files;

static void include(void *user, LyConfig *config, const char *pattern)
{
    Files *files = user;
    if (files->includes++ < INCLUDES_MAX)
        ly_config_read(config, pattern, files->text, true, NULL);
}

static bool execute(void *user, const char *command)
{
    return strlen(command) % 2;
}

static const char *variable(void *user, const char *name)
{
    return strcmp(name, "NONE") == 0 ? NULL : "value of %h";
}

static void ask_everything(const LyConfig *config)
{
    for (int keyword = 0; keyword < LY_CONFIG_COUNT; keyword++) {
        ly_config_string(config, (LyConfigKeyword)keyword);
        for (size_t i = 0; ly_config_item(config, (LyConfigKeyword)keyword, i); i++)
            continue;
        ly_config_flag(config, (LyConfigKeyword)keyword, false);
        ly_config_number(config, (LyConfigKeyword)keyword, 0);
    }
    uint64_t bytes, seconds;
    ly_config_rekey_limit(config, &bytes, &seconds);
    LyAlgorithms algorithms;
    ly_algorithms_init(fuzz_crypto(), &algorithms);
    ly_config_algorithms(config, fuzz_crypto(), &algorithms, NULL);
    ly_algorithms_clear(&algorithms);
    const char *proxy = ly_config_string(config, LY_CONFIG_PROXY_COMMAND);
    LyBuf out = {0};
    if (proxy)
        ly_config_expand(config, fuzz_crypto(), proxy, false, &out, NULL);
    ly_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    Files files = {.text = fuzz_copy(ly_bytes(data, len))};
    LyConfigOptions options = {
        .host = "work",
        .local_user = "alice",
        .local_host = "desk.example",
        .home = "/home/alice",
        .uid = 1000,
        .getenv = variable,
        .source = {.include = include, .exec = execute, .user = &files},
    };
    LyConfig *config = ly_config_new(&options);
    LyError error = {0};
    bool right = ly_config_read(config, "config", files.text, true, &error);
    FUZZ_ASSERT(right == (error.code == LY_OK));
    if (right && ly_config_wants_final(config)) {
        ly_config_begin_final(config);
        ly_config_read(config, "config", files.text, true, NULL);
    }
    error = (LyError){0};
    right = ly_config_finish(config, &error);
    FUZZ_ASSERT(right == (error.code == LY_OK));
    ask_everything(config);
    ly_config_free(config);
    fuzz_free(files.text);
    return 0;
}
