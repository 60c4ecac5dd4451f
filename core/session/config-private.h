/* What the three files of ssh_config share: values (config.c), text (config-read.c), tokens
 * (config-expand.c). */
#ifndef LY_SESSION_CONFIG_PRIVATE_H
#define LY_SESSION_CONFIG_PRIVATE_H

#include "session/config.h"

#define LY_CONFIG_LIST_MAX 100
#define LY_CONFIG_DEPTH_MAX 16

typedef struct LyConfigValues {
    char **item;
    size_t count;
} LyConfigValues;

struct LyConfig {
    LyConfigOptions options;
    LyConfigValues value[LY_CONFIG_COUNT];
    bool final_pass, wants_final;
    unsigned depth; /* of Include */
    bool active;    /* the innermost Host or Match block applies */
    bool include_user_file;
    LyError *include_error; /* where an included file's first error goes */
    bool include_failed;
};

void ly_config_values_add(LyConfigValues *values, LyBytes value);
void ly_config_values_clear(LyConfigValues *values);
/* As ssh_config(5) writes it. */
const char *ly_config_keyword_name(LyConfigKeyword keyword);
/* Splits at blanks, honouring "double" and 'single' quotes and backslash before quotes; a # that begins a
 * word ends the line. */
bool ly_config_words(LyBytes text, LyConfigValues *words, LyError *error);
bool ly_config_store(LyConfig *config, LyConfigKeyword keyword, const LyConfigValues *words, LyBytes rest,
                     LyError *error);

#endif
