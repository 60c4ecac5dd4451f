/* sshd's command line and the sshd_config keywords of -o. */
#ifndef LY_EXAMPLES_SSHD_OPTIONS_H
#define LY_EXAMPLES_SSHD_OPTIONS_H

#include "loop/server.h"

#define SSHD_HOST_KEYS_MAX 32

typedef struct SshdOptions {
    const char *address;
    uint16_t port;
    LyServerOptions server;
    LyAlgorithms algorithms;
    LyKey *host_keys[2 * SSHD_HOST_KEYS_MAX]; /* plain and certified */
    LyBuf moduli;
    char *banner;
} SshdOptions;

/* Prints help and exits 0, or prints what is wrong and exits 1, as the command line says. `log.level` is set.
 */
void sshd_options_read(SshdOptions *options, int argc, char **argv);
void sshd_options_clear(SshdOptions *options);

#endif
