/* A link over SSH: signs in to a destination and opens the SFTP subsystem (or a server by its path) on one
 * channel. */
#ifndef LY_FS_LINK_SSH_H
#define LY_FS_LINK_SSH_H

#include "link.h"
#include "loop/client.h"
#include "loop/prompt.h"

typedef struct SshLinkOptions { /* strings live as long as the maker */
    LyDestination *destination; /* a reference is taken */
    const char *sftp_server;    /* a path with a '/', or a subsystem's name; NULL: sftp */
    LyPrompter *prompter;       /* borrowed: who is asked */
    LyBytes
        password; /* given beforehand (password_stdin), in secret memory that lives as long; empty: none */
    LyLog log;
} SshLinkOptions;

LinkMaker link_maker_ssh(const SshLinkOptions *options);

#endif
