/* What the directory backend's files share. Functions return -1 with errno set where nothing else is said. */
#ifndef LY_SFTP_DIRECTORY_PRIVATE_H
#define LY_SFTP_DIRECTORY_PRIVATE_H

#include <limits.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "sftp/directory.h"

#define LY_SFTP_NAME_CACHE 128 /* user and group names remembered, each */

typedef struct LySftpCachedName {
    bool valid;
    uint32_t id;
    char name[64]; /* empty: there is none */
} LySftpCachedName;

struct LySftpDirectory {
    int root;         /* O_PATH of the root; -1 when not confined */
    int start;        /* not confined: O_PATH of where relative paths begin */
    char *start_path; /* the same as an absolute path, as clients see it */
    bool read_only;
    bool walks; /* the kernel has no openat2 */
    mode_t mask;
    LyLog log;
    uint8_t *buffer; /* of LY_SFTP_TRANSFER_MAX bytes, for READ and copy-data */
    LySftpCachedName users[LY_SFTP_NAME_CACHE], groups[LY_SFTP_NAME_CACHE];
};

typedef struct LySftpListing LySftpListing;
typedef struct LySftpOpenFile { /* what a handle stands for */
    int fd;                     /* a file, when there is no listing */
    LySftpListing *listing;
} LySftpOpenFile;

static inline LySftpDirectory *ly_sftp_directory_of(const LySftpRequest *request)
{
    return request->backend;
}

static inline int ly_sftp_file_of(const LySftpRequest *request)
{
    return ((const LySftpOpenFile *)request->handle)->fd;
}

/* Paths (directory-paths.c). */

static inline bool ly_sftp_is_confined(const LySftpDirectory *directory)
{
    return directory->root >= 0;
}
/* openat(2) beneath the root, by flags O_*; the last component is followed unless O_NOFOLLOW. */
int ly_sftp_path_open(LySftpDirectory *directory, LyBytes path, int flags, mode_t mode);

/* Where an operation on a name itself happens: `name` in the directory `fd`, for the *at() calls without
 * following. */
typedef struct LySftpPlace {
    int fd;
    bool owned; /* fd is closed by ly_sftp_place_drop */
    char name[PATH_MAX];
} LySftpPlace;
int ly_sftp_place_find(LySftpDirectory *directory, LyBytes path, LySftpPlace *place);
/* Keeps errno. */
void ly_sftp_place_drop(LySftpPlace *place);

int ly_sftp_path_stat(LySftpDirectory *directory, LyBytes path, bool follow, struct stat *stat);
/* Absolute and without symlinks, "." and ".."; the last component need not exist. */
int ly_sftp_path_canonical(LySftpDirectory *directory, LyBytes path, char canonical[PATH_MAX]);

/* Attributes (directory-attrs.c). */

void ly_sftp_serve_stat(LySftpRequest *request); /* and LSTAT */
void ly_sftp_serve_fstat(LySftpRequest *request);
void ly_sftp_serve_setstat(LySftpRequest *request); /* and lsetstat */
void ly_sftp_serve_fsetstat(LySftpRequest *request);
void ly_sftp_serve_statvfs(LySftpRequest *request);
void ly_sftp_serve_fstatvfs(LySftpRequest *request);

/* Listings and names (directory-names.c). */

void ly_sftp_attrs_of_stat(const struct stat *stat, LySftpAttrs *attrs);

LySftpListing *ly_sftp_listing_open(LySftpDirectory *directory, LyBytes path);
void ly_sftp_listing_close(LySftpListing *listing);
void ly_sftp_listing_read(LySftpDirectory *directory, LySftpListing *listing, LySftpRequest *request);
void ly_sftp_serve_realpath(LySftpRequest *request);
void ly_sftp_serve_expand_path(LySftpRequest *request);
void ly_sftp_serve_home_directory(LySftpRequest *request);
void ly_sftp_serve_users_groups(LySftpRequest *request);
void ly_sftp_reply_one_name(LySftpRequest *request, LyBytes name);

#endif
