/* The command line: sshfs's flags and -o names, libfuse's mount options, every name of ssh_config(5), in one
 * table that also gives
 * --help, and that README and the man page are compared with. */
#ifndef LY_FS_OPTIONS_H
#define LY_FS_OPTIONS_H

#include "base/buf.h"
#include "mount.h"

typedef struct Options {
    MountOptions mount;
    /* Where to. */
    char *host, *user, *directory, *mountpoint;
    uint16_t port; /* 0: as configured */
    /* How. */
    char *config_file; /* -F */
    char **settings;   /* "Name=value" for ssh_config, in order, NULL-terminated */
    size_t setting_count;
    char *ssh_command;
    char *sftp_server; /* a path (with a '/') or a subsystem's name; NULL: sftp */
    uint16_t directport;
    bool passive, password_stdin, no_check_root;
    char *uid_file, *gid_file;
    /* What the program does. */
    bool foreground, debug, verbose, help, version;
    /* What libfuse is given, and what is told once. */
    LyBuf fuse_options, notes;
    char *fsname, *subtype;
} Options;

/* Reads the command line. False: *error is a sentence (exit 1). Free with options_clear in both cases. */
bool options_read(Options *options, int argc, char **argv, LyError *error);
void options_clear(Options *options);
/* The text of --help. */
void options_help(LyBuf *out);

#endif
