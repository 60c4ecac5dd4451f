/* The requests of the client: filexfer-02 section 6, OpenSSH's PROTOCOL section 4, filexfer-extensions-00. */
#include "base/memory.h"
#include "sftp/client-private.h"

#define HEAD_LEN 9 /* length, type, id */

/* Takes a request's slot and starts its packet: length, type, id. False when no more requests are taken. */
static bool request_begin(LySftpClient *client, uint8_t type, uint8_t accept, LySftpDone done, void *user)
{
    if (client->closed)
        return false;
    LySftpClientRequest *request = client->unused ? client->unused : ly_new(LySftpClientRequest);
    LySftpClientRequest *next = request->next_unused;
    *request = (LySftpClientRequest){.done = done, .user = user, .type = type, .accept = accept};
    if (!ly_slots_take(&client->slots, request, &request->slot)) {
        request->next_unused = next;
        client->unused = request;
        return false;
    }
    client->unused = next;
    client->building = request;
    ly_buf_clear(&client->packet);
    ly_put_u32(&client->packet, 0);
    ly_put_u8(&client->packet, type);
    ly_put_u32(&client->packet, request->slot + 1); /* slots may be 0, an LySftpId may not */
    return true;
}

void ly_sftp_request_release(LySftpClient *client, LySftpClientRequest *request)
{
    ly_slots_give(&client->slots, request->slot);
    request->next_unused = client->unused;
    client->unused = request;
}

/* Sends the packet, followed by `data`. 0, and the slot given back, when it became too long. */
static LySftpId request_send(LySftpClient *client, LyBytes data)
{
    LySftpClientRequest *request = client->building;
    client->building = NULL;
    size_t len = client->packet.len - 4 + data.len;
    bool too_long = client->packet.failed || data.len > LY_SFTP_PACKET_MAX || len > LY_SFTP_PACKET_MAX;
    if (too_long || !ly_sftp_outbox_fits(&client->outbox, len + 4)) {
        ly_sftp_request_release(client, request);
        return 0;
    }
    ly_store_u32(client->packet.data, (uint32_t)len);
    LySftpId id = request->slot + 1;
    ly_log(&client->options.log, LY_LOG_TRACE, "SFTP: sends %s %u, %zu bytes",
           ly_sftp_message_name(request->type), id, len);
    LyBytes parts[2] = {ly_buf_bytes(&client->packet), data};
    ly_sftp_outbox_send(&client->outbox, parts, data.len ? 2 : 1);
    return id;
}

static LySftpId send_plain(LySftpClient *client)
{
    return request_send(client, (LyBytes){0});
}

static bool path_fits(LyBytes path)
{
    return path.len <= LY_SFTP_PATH_MAX;
}

static bool handle_fits(LyBytes handle)
{
    return handle.len >= 1 && handle.len <= LY_SFTP_HANDLE_MAX;
}

static const LySftpAttrs no_attrs;

/* Requests of one path, with attrs when `attrs` is given. */
static LySftpId ask_path(LySftpClient *client, uint8_t type, uint8_t accept, LyBytes path,
                         const LySftpAttrs *attrs, LySftpDone done, void *user)
{
    if (!path_fits(path) || !request_begin(client, type, accept, done, user))
        return 0;
    ly_put_string(&client->packet, path);
    if (attrs)
        ly_put_attrs(&client->packet, attrs);
    return send_plain(client);
}

static LySftpId ask_paths(LySftpClient *client, uint8_t type, LyBytes first, LyBytes second, LySftpDone done,
                          void *user)
{
    if (!path_fits(first) || !path_fits(second) ||
        !request_begin(client, type, LY_SFTP_ACCEPT_OK, done, user))
        return 0;
    ly_put_string(&client->packet, first);
    ly_put_string(&client->packet, second);
    return send_plain(client);
}

static LySftpId ask_handle(LySftpClient *client, uint8_t type, uint8_t accept, LyBytes handle,
                           const LySftpAttrs *attrs, LySftpDone done, void *user)
{
    return handle_fits(handle) ? ask_path(client, type, accept, handle, attrs, done, user) : 0;
}

LySftpId ly_sftp_open(LySftpClient *client, LyBytes path, uint32_t pflags, const LySftpAttrs *attrs,
                      LySftpDone done, void *user)
{
    if (!path_fits(path) || !request_begin(client, SSH_FXP_OPEN, LY_SFTP_ACCEPT_HANDLE, done, user))
        return 0;
    ly_put_string(&client->packet, path);
    ly_put_u32(&client->packet, pflags);
    ly_put_attrs(&client->packet, attrs ? attrs : &no_attrs);
    return send_plain(client);
}

LySftpId ly_sftp_close(LySftpClient *client, LyBytes handle, LySftpDone done, void *user)
{
    return ask_handle(client, SSH_FXP_CLOSE, LY_SFTP_ACCEPT_OK, handle, NULL, done, user);
}

LySftpId ly_sftp_read(LySftpClient *client, LyBytes handle, uint64_t offset, uint32_t len, void *buffer,
                      LySftpDone done, void *user)
{
    if (!handle_fits(handle) || !request_begin(client, SSH_FXP_READ, LY_SFTP_ACCEPT_DATA, done, user))
        return 0;
    client->building->buffer = buffer;
    client->building->len = len;
    ly_put_string(&client->packet, handle);
    ly_put_u64(&client->packet, offset);
    ly_put_u32(&client->packet, len);
    return send_plain(client);
}

LySftpId ly_sftp_write(LySftpClient *client, LyBytes handle, uint64_t offset, LyBytes data, LySftpDone done,
                       void *user)
{
    if (!handle_fits(handle) || data.len > LY_SFTP_PACKET_MAX ||
        !request_begin(client, SSH_FXP_WRITE, LY_SFTP_ACCEPT_OK, done, user))
        return 0;
    ly_put_string(&client->packet, handle);
    ly_put_u64(&client->packet, offset);
    ly_put_u32(&client->packet, (uint32_t)data.len);
    return request_send(client, data);
}

LySftpId ly_sftp_stat(LySftpClient *client, LyBytes path, LySftpDone done, void *user)
{
    return ask_path(client, SSH_FXP_STAT, LY_SFTP_ACCEPT_ATTRS, path, NULL, done, user);
}

LySftpId ly_sftp_lstat(LySftpClient *client, LyBytes path, LySftpDone done, void *user)
{
    return ask_path(client, SSH_FXP_LSTAT, LY_SFTP_ACCEPT_ATTRS, path, NULL, done, user);
}

LySftpId ly_sftp_fstat(LySftpClient *client, LyBytes handle, LySftpDone done, void *user)
{
    return ask_handle(client, SSH_FXP_FSTAT, LY_SFTP_ACCEPT_ATTRS, handle, NULL, done, user);
}

LySftpId ly_sftp_setstat(LySftpClient *client, LyBytes path, const LySftpAttrs *attrs, LySftpDone done,
                         void *user)
{
    return ask_path(client, SSH_FXP_SETSTAT, LY_SFTP_ACCEPT_OK, path, attrs, done, user);
}

LySftpId ly_sftp_fsetstat(LySftpClient *client, LyBytes handle, const LySftpAttrs *attrs, LySftpDone done,
                          void *user)
{
    return ask_handle(client, SSH_FXP_FSETSTAT, LY_SFTP_ACCEPT_OK, handle, attrs, done, user);
}

LySftpId ly_sftp_opendir(LySftpClient *client, LyBytes path, LySftpDone done, void *user)
{
    return ask_path(client, SSH_FXP_OPENDIR, LY_SFTP_ACCEPT_HANDLE, path, NULL, done, user);
}

LySftpId ly_sftp_readdir(LySftpClient *client, LyBytes handle, LySftpDone done, void *user)
{
    return ask_handle(client, SSH_FXP_READDIR, LY_SFTP_ACCEPT_NAME, handle, NULL, done, user);
}

LySftpId ly_sftp_remove(LySftpClient *client, LyBytes path, LySftpDone done, void *user)
{
    return ask_path(client, SSH_FXP_REMOVE, LY_SFTP_ACCEPT_OK, path, NULL, done, user);
}

LySftpId ly_sftp_mkdir(LySftpClient *client, LyBytes path, const LySftpAttrs *attrs, LySftpDone done,
                       void *user)
{
    return ask_path(client, SSH_FXP_MKDIR, LY_SFTP_ACCEPT_OK, path, attrs ? attrs : &no_attrs, done, user);
}

LySftpId ly_sftp_rmdir(LySftpClient *client, LyBytes path, LySftpDone done, void *user)
{
    return ask_path(client, SSH_FXP_RMDIR, LY_SFTP_ACCEPT_OK, path, NULL, done, user);
}

LySftpId ly_sftp_realpath(LySftpClient *client, LyBytes path, LySftpDone done, void *user)
{
    return ask_path(client, SSH_FXP_REALPATH, LY_SFTP_ACCEPT_ONE_NAME, path, NULL, done, user);
}

LySftpId ly_sftp_rename(LySftpClient *client, LyBytes from, LyBytes to, LySftpDone done, void *user)
{
    return ask_paths(client, SSH_FXP_RENAME, from, to, done, user);
}

LySftpId ly_sftp_readlink(LySftpClient *client, LyBytes path, LySftpDone done, void *user)
{
    return ask_path(client, SSH_FXP_READLINK, LY_SFTP_ACCEPT_ONE_NAME, path, NULL, done, user);
}

bool ly_sftp_symlink_openssh_order(LyBytes ident)
{
    static const char *const idents[] = {"SSH-2.0-OpenSSH", "SSH-2.0-dropbear", "SSH-2.0-PuTTY",
                                         "SSH-2.0-Lanyard"};
    for (size_t i = 0; i < LY_COUNT(idents); i++)
        if (ly_bytes_starts_with(ident, idents[i]))
            return true;
    return false;
}

LySftpId ly_sftp_symlink(LySftpClient *client, LyBytes link, LyBytes target, LySftpDone done, void *user)
{
    bool target_first = client->options.symlink_openssh_order;
    return ask_paths(client, SSH_FXP_SYMLINK, target_first ? target : link, target_first ? link : target,
                     done, user);
}

/* Extensions. */

static bool begin_extended(LySftpClient *client, const char *name, uint8_t accept, LySftpDone done,
                           void *user)
{
    if (!request_begin(client, SSH_FXP_EXTENDED, accept, done, user))
        return false;
    ly_put_cstring(&client->packet, name);
    return true;
}

/* One string (a path, a handle, a user's name), two when `second` is given; then attrs when given. */
static LySftpId ask_extended(LySftpClient *client, const char *name, uint8_t accept, LyBytes first,
                             const LyBytes *second, const LySftpAttrs *attrs, LySftpDone done, void *user)
{
    if (!path_fits(first) || (second && !path_fits(*second)) ||
        !begin_extended(client, name, accept, done, user))
        return 0;
    ly_put_string(&client->packet, first);
    if (second)
        ly_put_string(&client->packet, *second);
    if (attrs)
        ly_put_attrs(&client->packet, attrs);
    return send_plain(client);
}

LySftpId ly_sftp_ask_limits(LySftpClient *client, LySftpDone done, void *user)
{
    if (!begin_extended(client, "limits@openssh.com", LY_SFTP_ACCEPT_EXTENDED, done, user))
        return 0;
    return send_plain(client);
}

LySftpId ly_sftp_posix_rename(LySftpClient *client, LyBytes from, LyBytes to, LySftpDone done, void *user)
{
    return ask_extended(client, "posix-rename@openssh.com", LY_SFTP_ACCEPT_OK, from, &to, NULL, done, user);
}

LySftpId ly_sftp_hardlink(LySftpClient *client, LyBytes existing, LyBytes link, LySftpDone done, void *user)
{
    return ask_extended(client, "hardlink@openssh.com", LY_SFTP_ACCEPT_OK, existing, &link, NULL, done, user);
}

LySftpId ly_sftp_lsetstat(LySftpClient *client, LyBytes path, const LySftpAttrs *attrs, LySftpDone done,
                          void *user)
{
    return ask_extended(client, "lsetstat@openssh.com", LY_SFTP_ACCEPT_OK, path, NULL, attrs, done, user);
}

LySftpId ly_sftp_statvfs(LySftpClient *client, LyBytes path, LySftpDone done, void *user)
{
    return ask_extended(client, "statvfs@openssh.com", LY_SFTP_ACCEPT_EXTENDED, path, NULL, NULL, done, user);
}

LySftpId ly_sftp_fstatvfs(LySftpClient *client, LyBytes handle, LySftpDone done, void *user)
{
    if (!handle_fits(handle))
        return 0;
    return ask_extended(client, "fstatvfs@openssh.com", LY_SFTP_ACCEPT_EXTENDED, handle, NULL, NULL, done,
                        user);
}

LySftpId ly_sftp_fsync(LySftpClient *client, LyBytes handle, LySftpDone done, void *user)
{
    if (!handle_fits(handle))
        return 0;
    return ask_extended(client, "fsync@openssh.com", LY_SFTP_ACCEPT_OK, handle, NULL, NULL, done, user);
}

LySftpId ly_sftp_expand_path(LySftpClient *client, LyBytes path, LySftpDone done, void *user)
{
    return ask_extended(client, "expand-path@openssh.com", LY_SFTP_ACCEPT_ONE_NAME, path, NULL, NULL, done,
                        user);
}

LySftpId ly_sftp_home_directory(LySftpClient *client, LyBytes user_name, LySftpDone done, void *user)
{
    return ask_extended(client, "home-directory", LY_SFTP_ACCEPT_ONE_NAME, user_name, NULL, NULL, done, user);
}

LySftpId ly_sftp_copy_data(LySftpClient *client, LyBytes from, uint64_t from_offset, uint64_t len, LyBytes to,
                           uint64_t to_offset, LySftpDone done, void *user)
{
    if (!handle_fits(from) || !handle_fits(to) ||
        !begin_extended(client, "copy-data", LY_SFTP_ACCEPT_OK, done, user))
        return 0;
    ly_put_string(&client->packet, from);
    ly_put_u64(&client->packet, from_offset);
    ly_put_u64(&client->packet, len);
    ly_put_string(&client->packet, to);
    ly_put_u64(&client->packet, to_offset);
    return send_plain(client);
}

static void put_ids(LyBuf *buf, const uint32_t *ids, size_t count)
{
    size_t mark = ly_put_string_begin(buf);
    for (size_t i = 0; i < count; i++)
        ly_put_u32(buf, ids[i]);
    ly_put_string_end(buf, mark);
}

LySftpId ly_sftp_users_groups(LySftpClient *client, const uint32_t *uids, size_t uid_count,
                              const uint32_t *gids, size_t gid_count, LySftpDone done, void *user)
{
    if (uid_count > LY_SFTP_PACKET_MAX / 4 || gid_count > LY_SFTP_PACKET_MAX / 4 ||
        !begin_extended(client, "users-groups-by-id@openssh.com", LY_SFTP_ACCEPT_EXTENDED, done, user))
        return 0;
    put_ids(&client->packet, uids, uid_count);
    put_ids(&client->packet, gids, gid_count);
    return send_plain(client);
}

LySftpId ly_sftp_extended(LySftpClient *client, LyBytes name, LyBytes payload, LySftpDone done, void *user)
{
    uint8_t accept = LY_SFTP_ACCEPT_OK | LY_SFTP_ACCEPT_HANDLE | LY_SFTP_ACCEPT_NAME | LY_SFTP_ACCEPT_ATTRS |
                     LY_SFTP_ACCEPT_EXTENDED;
    if (!path_fits(name) || !request_begin(client, SSH_FXP_EXTENDED, accept, done, user))
        return 0;
    ly_put_string(&client->packet, name);
    return request_send(client, payload);
}
