/* Listings, and everything that has to do with names: users, groups, homes, canonical paths. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/memory.h"
#include "sftp/directory-private.h"

#define IDS_MAX 1024 /* users, and groups, whose names one request looks up */

static uint32_t seconds(time_t time)
{
    return time < 0 ? 0 : (uint64_t)time > UINT32_MAX ? UINT32_MAX : (uint32_t)time;
}

void ly_sftp_attrs_of_stat(const struct stat *stat, LySftpAttrs *attrs)
{
    *attrs = (LySftpAttrs){
        .flags = SSH_FILEXFER_ATTR_SIZE | SSH_FILEXFER_ATTR_UIDGID | SSH_FILEXFER_ATTR_PERMISSIONS |
                 SSH_FILEXFER_ATTR_ACMODTIME,
        .size = (uint64_t)stat->st_size,
        .uid = stat->st_uid,
        .gid = stat->st_gid,
        .permissions = stat->st_mode,
        .atime = seconds(stat->st_atime),
        .mtime = seconds(stat->st_mtime),
    };
}

/* Users and groups. */

/* A name that is too long to remember counts as none: half of one would be another's. */
static void remember(LySftpCachedName *cached, const char *name)
{
    if (strlen(name) < sizeof cached->name)
        strcpy(cached->name, name);
}

static void find_user(uint32_t uid, LySftpCachedName *cached)
{
    char room[4096];
    struct passwd entry, *found = NULL;
    if (getpwuid_r(uid, &entry, room, sizeof room, &found) == 0 && found)
        remember(cached, found->pw_name);
}

static void find_group(uint32_t gid, LySftpCachedName *cached)
{
    char room[16384]; /* a group comes with its members */
    struct group entry, *found = NULL;
    if (getgrgid_r(gid, &entry, room, sizeof room, &found) == 0 && found)
        remember(cached, found->gr_name);
}

static const char *find_name(LySftpCachedName *cache, uint32_t id,
                             void (*find)(uint32_t id, LySftpCachedName *cached))
{
    LySftpCachedName *cached = &cache[id % LY_SFTP_NAME_CACHE];
    if (!cached->valid || cached->id != id) {
        *cached = (LySftpCachedName){.valid = true, .id = id};
        find(id, cached);
    }
    return cached->name;
}

/* The name of a user or group, or "". */
static const char *name_of_user(LySftpDirectory *directory, uint32_t uid)
{
    return find_name(directory->users, uid, find_user);
}

static const char *name_of_group(LySftpDirectory *directory, uint32_t gid)
{
    return find_name(directory->groups, gid, find_group);
}

/* Listings. */

struct LySftpListing {
    DIR *stream;
    bool is_root;            /* its ".." is itself */
    char kept[NAME_MAX + 1]; /* a name that the last reply had no room for */
    time_t now;
};

LySftpListing *ly_sftp_listing_open(LySftpDirectory *directory, LyBytes path)
{
    int fd = ly_sftp_path_open(directory, path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return NULL;
    DIR *stream = fdopendir(fd);
    if (!stream) {
        int error = errno;
        close(fd);
        errno = error;
        return NULL;
    }
    LySftpListing *listing = ly_new(LySftpListing);
    listing->stream = stream;
    struct stat root, found;
    listing->is_root = ly_sftp_is_confined(directory) && fstat(directory->root, &root) == 0 &&
                       fstat(fd, &found) == 0 && root.st_dev == found.st_dev && root.st_ino == found.st_ino;
    return listing;
}

void ly_sftp_listing_close(LySftpListing *listing)
{
    closedir(listing->stream);
    ly_free(listing);
}

static void put_mode(mode_t mode, char text[11])
{
    static const struct {
        mode_t type;
        char letter;
    } types[] = {{S_IFREG, '-'}, {S_IFDIR, 'd'}, {S_IFLNK, 'l'}, {S_IFCHR, 'c'},
                 {S_IFBLK, 'b'}, {S_IFIFO, 'p'}, {S_IFSOCK, 's'}};
    static const struct {
        mode_t bit;
        size_t at; /* of the x that it changes */
        char letter;
    } specials[] = {{S_ISUID, 3, 's'}, {S_ISGID, 6, 's'}, {S_ISVTX, 9, 't'}};
    strcpy(text, "?rwxrwxrwx");
    for (size_t i = 0; i < LY_COUNT(types); i++)
        if ((mode & S_IFMT) == types[i].type)
            text[0] = types[i].letter;
    for (size_t i = 0; i < 9; i++)
        if (!(mode & 0400 >> i))
            text[1 + i] = '-';
    for (size_t i = 0; i < LY_COUNT(specials); i++)
        if (mode & specials[i].bit)
            text[specials[i].at] =
                (char)(text[specials[i].at] == 'x' ? specials[i].letter : specials[i].letter - 32);
}

static const char *name_or_number(const char *name, uint32_t id, char number[12])
{
    snprintf(number, 12, "%u", id);
    return name[0] ? name : number;
}

/* The line of `ls -l`. */
static void put_longname(LySftpDirectory *directory, const struct stat *found, time_t now, const char *name,
                         char *text, size_t room)
{
    char mode[11], user[12], group[12], when[32] = "";
    put_mode(found->st_mode, mode);
    struct tm tm;
    bool recent = found->st_mtime > now - 182 * 86400L && found->st_mtime <= now + 3600;
    if (localtime_r(&found->st_mtime, &tm))
        strftime(when, sizeof when, recent ? "%b %e %H:%M" : "%b %e  %Y", &tm);
    snprintf(text, room, "%s %4lu %-8s %-8s %8llu %s %s", mode, (unsigned long)found->st_nlink,
             name_or_number(name_of_user(directory, found->st_uid), found->st_uid, user),
             name_or_number(name_of_group(directory, found->st_gid), found->st_gid, group),
             (unsigned long long)found->st_size, when, name);
}

/* False when the packet is full. */
static bool add_entry(LySftpDirectory *directory, LySftpListing *listing, LySftpRequest *request,
                      const char *name)
{
    struct stat found;
    const char *looked_at = listing->is_root && strcmp(name, "..") == 0 ? "." : name;
    if (fstatat(dirfd(listing->stream), looked_at, &found, AT_SYMLINK_NOFOLLOW) != 0)
        return true; /* removed meanwhile */
    LySftpAttrs attrs;
    ly_sftp_attrs_of_stat(&found, &attrs);
    char longname[NAME_MAX + 256];
    put_longname(directory, &found, listing->now, name, longname, sizeof longname);
    return ly_sftp_reply_names_add(request, ly_bytes_str(name), ly_bytes_str(longname), &attrs);
}

void ly_sftp_listing_read(LySftpDirectory *directory, LySftpListing *listing, LySftpRequest *request)
{
    bool any = false, room = true;
    int error = 0;
    listing->now = time(NULL);
    ly_sftp_reply_names_begin(request);
    while (room) {
        char name[NAME_MAX + 1];
        if (listing->kept[0]) {
            memcpy(name, listing->kept, sizeof name);
            listing->kept[0] = 0;
        } else {
            errno = 0;
            const struct dirent *entry = readdir(listing->stream);
            error = entry ? 0 : errno;
            if (!entry)
                break;
            snprintf(name, sizeof name, "%s", entry->d_name);
        }
        room = add_entry(directory, listing, request, name);
        if (room)
            any = true;
        else
            memcpy(listing->kept, name, sizeof name);
    }
    if (any)
        ly_sftp_reply_names_end(request);
    else if (error)
        ly_sftp_reply_errno(request, error);
    else
        ly_sftp_reply_status(request, SSH_FX_EOF, NULL);
}

/* Paths for the client. */

void ly_sftp_reply_one_name(LySftpRequest *request, LyBytes name)
{
    static const LySftpAttrs none;
    ly_sftp_reply_names_begin(request);
    ly_sftp_reply_names_add(request, name, name, &none);
    ly_sftp_reply_names_end(request);
}

static void reply_canonical(LySftpDirectory *directory, LySftpRequest *request, LyBytes path)
{
    char canonical[PATH_MAX];
    if (ly_sftp_path_canonical(directory, path, canonical) != 0)
        ly_sftp_reply_errno(request, errno);
    else
        ly_sftp_reply_one_name(request, ly_bytes_str(canonical));
}

void ly_sftp_serve_realpath(LySftpRequest *request)
{
    LySftpDirectory *directory = ly_sftp_directory_of(request);
    reply_canonical(directory, request, request->path);
}

/* The home of a user ("": whose process this is) as clients see it; the caller frees it. NULL when there is
 * no such user. Where the tree is confined, homes are not in it: one's own is where relative paths begin. */
static char *home_of(const LySftpDirectory *directory, LyBytes user_name)
{
    char room[4096];
    struct passwd entry, *found = NULL;
    LY_AUTO_FREE char *name = ly_bytes_dup_str(user_name);
    if (user_name.len == 0)
        getpwuid_r(geteuid(), &entry, room, sizeof room, &found);
    else
        getpwnam_r(name, &entry, room, sizeof room, &found);
    if (ly_sftp_is_confined(directory)) {
        bool own = user_name.len == 0 || (found && found->pw_uid == geteuid());
        return own ? ly_strdup(directory->start_path) : NULL;
    }
    return found ? ly_strdup(found->pw_dir) : NULL;
}

void ly_sftp_serve_expand_path(LySftpRequest *request)
{
    LySftpDirectory *directory = ly_sftp_directory_of(request);
    if (!ly_bytes_starts_with(request->path, "~")) {
        reply_canonical(directory, request, request->path);
        return;
    }
    LyBytes user_name, rest;
    ly_bytes_split(ly_bytes_slice(request->path, 1, request->path.len), '/', &user_name, &rest);
    LY_AUTO_FREE char *home = home_of(directory, user_name);
    if (!home) {
        ly_sftp_reply_status(request, SSH_FX_NO_SUCH_FILE, "no such user");
        return;
    }
    LY_AUTO(ly_buf_free) LyBuf path = {0};
    ly_buf_add_str(&path, home);
    ly_buf_add_str(&path, "/");
    ly_buf_add(&path, rest);
    reply_canonical(directory, request, ly_buf_bytes(&path));
}

void ly_sftp_serve_home_directory(LySftpRequest *request)
{
    LySftpDirectory *directory = ly_sftp_directory_of(request);
    LY_AUTO_FREE char *home = home_of(directory, request->path);
    if (home)
        ly_sftp_reply_one_name(request, ly_bytes_str(home));
    else
        ly_sftp_reply_status(request, SSH_FX_FAILURE, "no such user");
}

typedef const char *NameOf(LySftpDirectory *directory, uint32_t id);

/* Each id may cost a look into the user database; those behind the first few have no name then, which the
 * protocol allows for. */
static bool put_names(LySftpDirectory *directory, LyBytes ids, NameOf *name_of, LyBuf *payload)
{
    LyReader reader = ly_reader(ids);
    size_t mark = ly_put_string_begin(payload);
    for (size_t i = 0; reader.len && !reader.failed && !payload->failed; i++) {
        uint32_t id = ly_get_u32(&reader);
        ly_put_cstring(payload, i < IDS_MAX ? name_of(directory, id) : "");
    }
    ly_put_string_end(payload, mark);
    return !reader.failed;
}

void ly_sftp_serve_users_groups(LySftpRequest *request)
{
    LySftpDirectory *directory = ly_sftp_directory_of(request);
    LyReader reader = ly_reader(request->extension_data);
    LyBytes uids = ly_get_string(&reader), gids = ly_get_string(&reader);
    LY_AUTO(ly_buf_free) LyBuf payload = LY_BUF(LY_SFTP_PACKET_MAX);
    bool right = !reader.failed && put_names(directory, uids, name_of_user, &payload) &&
                 put_names(directory, gids, name_of_group, &payload);
    if (!right)
        ly_sftp_reply_status(request, SSH_FX_BAD_MESSAGE, NULL);
    else if (payload.failed)
        ly_sftp_reply_status(request, SSH_FX_FAILURE, "too many ids");
    else
        ly_sftp_reply_extended(request, ly_buf_bytes(&payload));
}
