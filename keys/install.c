/* install: public keys into a server's authorized_keys, over SFTP. */
#include <dirent.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "commands.h"
#include "describe.h"
#include "files.h"
#include "key/edit.h"
#include "key/fingerprint.h"
#include "remote.h"
#include "signer.h"
#include "text-file.h"

#define REMOTE_LIMIT ((size_t)16 << 20)

typedef struct Values {
    const char *config, *target;
    StringList identities, settings;
    uint64_t port;
    bool dry_run, force;
} Values;

#define FIELD(name) offsetof(Values, name)

static const Option options[] = {
    {"identity", 'i', "FILE", OPTION_LIST, FIELD(identities), 0,
     "the public key, or a private one's; else the newest ~/.ssh/id_*.pub, else the agent's keys"},
    {"port", 'p', "PORT", OPTION_NUMBER, FIELD(port), 65535, "the server's port"},
    {"config", 'F', "FILE", OPTION_STRING, FIELD(config), 0, "this ssh_config(5) file; none: no file"},
    {"option", 'o', "NAME=VALUE", OPTION_LIST, FIELD(settings), 0, "a setting of ssh_config(5)"},
    {"target", 't', "PATH", OPTION_STRING, FIELD(target), 0, "the server's file (.ssh/authorized_keys)"},
    {"dry-run", 'n', NULL, OPTION_FLAG, FIELD(dry_run), 0, "say what would be added, and add nothing"},
    {"force", 0, NULL, OPTION_FLAG, FIELD(force), 0, "add keys also where they are already"},
    {NULL},
};

typedef struct Keys {
    LyKey **keys;
    size_t count;
} Keys;

static void keys_free(Keys *list)
{
    public_keys_free(list->keys, list->count);
}

static void keys_add(Keys *list, LyKey *key)
{
    list->keys = ly_realloc(list->keys, (list->count + 1) * sizeof *list->keys);
    list->keys[list->count++] = ly_key_ref(key);
}

static bool is_public_name(const char *name)
{
    size_t len = strlen(name);
    return strncmp(name, "id_", 3) == 0 && len > 4 && strcmp(name + len - 4, ".pub") == 0 &&
           !(len > 9 && strcmp(name + len - 9, "-cert.pub") == 0);
}

/* NULL: none. */
static char *newest_identity(void)
{
    LY_AUTO_FREE char *folder = file_home_path("~/.ssh");
    struct timespec best = {0};
    char *newest = NULL;
    struct stat status;
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (!is_public_name(entry->d_name))
            continue;
        char *path = ly_format("%s/%s", folder, entry->d_name);
        bool newer = stat(path, &status) == 0 &&
                     (!newest || status.st_mtim.tv_sec > best.tv_sec ||
                      (status.st_mtim.tv_sec == best.tv_sec && status.st_mtim.tv_nsec > best.tv_nsec));
        if (newer) {
            ly_free(newest);
            newest = path;
            best = status.st_mtim;
        } else {
            ly_free(path);
        }
    }
    if (directory)
        closedir(directory);
    return newest;
}

static Status load_identity(Tool *tool, const char *path, Keys *list)
{
    LoadedKey loaded = {0};
    Status status = tool_load_key(tool, path, NEED_PUBLIC, &loaded);
    if (status == STATUS_OK && ly_key_is_certificate(loaded.entry->key))
        status = tool_fail(tool, STATUS_INPUT, "%s: a certificate; servers trust its CA, not the certificate",
                           path);
    else if (status == STATUS_OK)
        keys_add(list, loaded.entry->key);
    loaded_key_clear(&loaded);
    return status;
}

static Status load_from_agent(Tool *tool, Keys *list)
{
    LyError error;
    LyKey **keys;
    size_t count;
    if (!agent_keys(tool, &keys, &count, &error))
        return tool_fail(tool, STATUS_INPUT,
                         "there is no ~/.ssh/id_*.pub to install, and %s; name a key with -i", error.message);
    for (size_t i = 0; i < count; i++)
        if (!ly_key_is_certificate(keys[i]))
            keys_add(list, keys[i]);
    public_keys_free(keys, count);
    if (list->count)
        return STATUS_OK;
    return tool_fail(tool, STATUS_INPUT,
                     "there is no ~/.ssh/id_*.pub to install, and the agent has no keys; name a key with -i");
}

static Status load_keys(Tool *tool, const Values *values, Keys *list)
{
    Status status = STATUS_OK;
    for (size_t i = 0; i < values->identities.count && status == STATUS_OK; i++) {
        LY_AUTO_FREE char *path = file_home_path(values->identities.items[i]);
        status = load_identity(tool, path, list);
    }
    if (values->identities.count)
        return status;
    LY_AUTO_FREE char *newest = newest_identity();
    return newest ? load_identity(tool, newest, list) : load_from_agent(tool, list);
}

static void log_write(void *user, LyLogLevel level, const char *message)
{
    tool_warn(user, "%s", message);
}

static LyDestination *make_destination(Tool *tool, const Values *values, const char *text, LyError *error)
{
    const char *at = strrchr(text, '@');
    LY_AUTO_FREE char *user = at ? ly_bytes_dup_str(ly_bytes(text, (size_t)(at - text))) : NULL;
    const char **settings = ly_new_array(const char *, values->settings.count + 1);
    LyDestinationOptions destination = {.crypto = tool->crypto,
                                        .host = at ? at + 1 : text,
                                        .user = user,
                                        .port = (uint16_t)values->port,
                                        .config_file = values->config,
                                        .settings = settings,
                                        .log = {log_write, tool, LY_LOG_WARNING}};
    for (size_t i = 0; i < values->settings.count; i++)
        settings[i] = values->settings.items[i];
    LyDestination *made = ly_destination_new(&destination, error);
    ly_free(settings);
    return made;
}

typedef struct Install {
    Tool *tool;
    const Values *values;
    Remote *remote;
    const char *server; /* for messages */
    char *path;         /* of the file, links resolved */
    bool exists;
    LySftpAttrs attrs;
    LyBuf text, said;
    LyJson json;
    size_t added;
} Install;

static void say(Install *self, const LyKey *key, bool present)
{
    LY_AUTO(ly_buf_free) LyBuf fingerprint = {0};
    LyJson *json = &self->json;
    bool added = !present && !self->values->dry_run;
    ly_key_put_fingerprint(self->tool->crypto, ly_key_plain_blob(key), LY_SHA256, &fingerprint);
    if (self->tool->json) {
        ly_json_begin(json, '{');
        ly_json_name(json, "server"), ly_json_cstring(json, self->server);
        ly_json_name(json, "file"), ly_json_cstring(json, self->path);
        ly_json_name(json, "type"), ly_json_cstring(json, ly_key_type_name(key));
        json_fingerprint(self->tool, json, "fingerprint", ly_key_plain_blob(key));
        json_comment(json, ly_key_comment(key));
        ly_json_name(json, "present"), ly_json_bool(json, present);
        ly_json_name(json, "added"), ly_json_bool(json, added);
        ly_json_end(json, '}');
    } else if (!self->tool->quiet) {
        ly_buf_add_format(&self->said, "%s %s: %s %s of %s\n", ly_buf_str(&fingerprint),
                          LY_PRINTABLE(ly_key_comment(key)),
                          present ? "is already in"
                          : added ? "added to"
                                  : "would be added to",
                          LY_PRINTABLE(ly_bytes_str(self->path)), self->server);
    }
}

/* The folder of the target, made where it is missing; only its last part. */
static bool ensure_folder(Install *self, const char *path, LyError *error)
{
    const char *slash = strrchr(path, '/');
    LySftpAttrs attrs;
    bool exists;
    if (!slash || slash == path)
        return true;
    LY_AUTO_FREE char *folder = ly_bytes_dup_str(ly_bytes(path, (size_t)(slash - path)));
    if (!remote_stat(self->remote, folder, &exists, &attrs, error))
        return false;
    return exists || self->values->dry_run || remote_make_folder(self->remote, folder, 0700, error);
}

/* What the file holds; none is an empty one. */
static bool read_target(Install *self, LyError *error)
{
    const char *target = self->values->target ? self->values->target : ".ssh/authorized_keys";
    if (ly_bytes_starts_with(ly_bytes_str(target), "~/"))
        target += 2; /* SFTP starts in the home directory */
    if (!remote_stat(self->remote, target, &self->exists, &self->attrs, error))
        return false;
    if (!self->exists) {
        self->path = ly_strdup(target);
        return ensure_folder(self, target, error);
    }
    /* A symbolic link stays one: the file that it names is replaced. */
    self->path = remote_real_path(self->remote, target, error);
    return self->path && remote_read(self->remote, self->path, REMOTE_LIMIT, &self->text, error);
}

static bool add_key(Install *self, const LyKey *key, LyError *error)
{
    LyBuf changed = LY_BUF(TEXT_FILE_LIMIT + 1);
    bool present;
    if (!ly_authorized_keys_add(self->tool->crypto, ly_buf_bytes(&self->text), key, (LyBytes){0}, &changed,
                                &present, error)) {
        ly_buf_free(&changed);
        return false;
    }
    if (present && self->values->force) {
        if (changed.len && changed.data[changed.len - 1] != '\n')
            ly_buf_add_str(&changed, "\n");
        ly_key_write_line(key, &changed);
    }
    self->added += !present || self->values->force;
    ly_buf_free(&self->text);
    self->text = changed;
    say(self, key, present && !self->values->force);
    return true;
}

static bool install_keys(Install *self, const Keys *list, LyError *error)
{
    if (!read_target(self, error))
        return false;
    if (self->tool->json)
        ly_json_begin(&self->json, '[');
    for (size_t i = 0; i < list->count; i++)
        if (!add_key(self, list->keys[i], error))
            return false;
    if (self->tool->json)
        ly_json_end(&self->json, ']');
    if (self->added == 0 || self->values->dry_run)
        return true;
    bool known = self->exists && (self->attrs.flags & SSH_FILEXFER_ATTR_PERMISSIONS);
    if (known && !(self->attrs.permissions & 0200))
        return ly_error_set(error, LY_ERROR_IO, "%s on the server is read-only; nothing was changed",
                            LY_PRINTABLE(ly_bytes_str(self->path)));
    return remote_replace(self->remote, self->path, self->exists ? &self->attrs : NULL, 0600,
                          ly_buf_bytes(&self->text), error);
}

static Status install_run(Tool *tool, void *data, int argc, char **argv)
{
    LY_AUTO(keys_free) Keys list = {0};
    Install self = {.tool = tool, .values = data};
    LyError error;
    Status status = load_keys(tool, data, &list);
    if (status != STATUS_OK)
        return status;
    LyDestination *destination = make_destination(tool, data, argv[0], &error);
    if (!destination)
        return tool_error(tool, NULL, &error);
    self.json.out = &self.said;
    self.text = LY_BUF(TEXT_FILE_LIMIT + 1);
    self.server = ly_destination_name(destination);
    self.remote = remote_open(tool, destination, &error);
    if (!self.remote || !install_keys(&self, &list, &error))
        status = tool_fail(tool, STATUS_IO, "%s: %s", self.server, error.message);
    remote_close(self.remote);
    if (status == STATUS_OK)
        status = tool_print(tool, ly_buf_bytes(&self.said));
    ly_destination_unref(destination);
    ly_free(self.path);
    ly_buf_free(&self.text);
    ly_buf_free(&self.said);
    return status;
}

const Command install_command = {
    .name = "install",
    .arguments = "[USER@]HOST",
    .summary = "Add public keys to a server's authorized_keys, as ssh-copy-id does, over SFTP",
    .options = options,
    .values_size = sizeof(Values),
    .least = 1,
    .most = 1,
    .run = install_run,
};
