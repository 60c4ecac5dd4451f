#include "idmap.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct IdPair {
    uint32_t local, remote;
} IdPair;

struct IdTable {
    IdPair *pairs;
    size_t count, room;
};

IdTable *id_table_new(void)
{
    return ly_new(IdTable);
}

void id_table_free(IdTable *table)
{
    if (!table)
        return;
    ly_free(table->pairs);
    ly_free(table);
}

void id_table_add(IdTable *table, uint32_t local, uint32_t remote)
{
    if (table->count == table->room) {
        table->room = table->room ? 2 * table->room : 16;
        table->pairs = ly_realloc(table->pairs, table->room * sizeof *table->pairs);
    }
    table->pairs[table->count++] = (IdPair){local, remote};
}

bool id_table_to_local(const IdTable *table, uint32_t remote, uint32_t *local)
{
    for (size_t i = 0; table && i < table->count; i++)
        if (table->pairs[i].remote == remote) {
            *local = table->pairs[i].local;
            return true;
        }
    return false;
}

bool id_table_to_remote(const IdTable *table, uint32_t local, uint32_t *remote)
{
    for (size_t i = 0; table && i < table->count; i++)
        if (table->pairs[i].local == local) {
            *remote = table->pairs[i].remote;
            return true;
        }
    return false;
}

static bool local_id(LyBytes name, bool groups, uint32_t *id)
{
    uint64_t number;
    char *text = ly_bytes_dup_str(name);
    struct passwd *user = groups ? NULL : getpwnam(text);
    struct group *group = groups ? getgrnam(text) : NULL;
    bool numeric = ly_bytes_number(name, UINT32_MAX, &number);
    ly_free(text);
    if (user || group || numeric)
        *id = user ? user->pw_uid : group ? group->gr_gid : (uint32_t)number;
    return user || group || numeric;
}

static bool read_line(IdTable *table, LyBytes line, bool groups, LyError *error)
{
    LyBytes name, remote;
    uint64_t number;
    uint32_t local;
    line = ly_bytes_trim(line);
    if (line.len == 0 || line.data[0] == '#')
        return true;
    if (!ly_bytes_split(line, ':', &name, &remote) ||
        !ly_bytes_number(ly_bytes_trim(remote), UINT32_MAX, &number))
        return ly_error_set(error, LY_ERROR_INVALID, "\"%s\" is not name:remote_id", LY_PRINTABLE(line));
    if (!local_id(ly_bytes_trim(name), groups, &local))
        return ly_error_set(error, LY_ERROR_INVALID, "there is no %s \"%s\" here", groups ? "group" : "user",
                            LY_PRINTABLE(name));
    id_table_add(table, local, (uint32_t)number);
    return true;
}

IdTable *id_table_read(const char *path, bool groups, LyError *error)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        ly_error_set_errno(error, errno, "cannot read %s", path);
        return NULL;
    }
    IdTable *table = id_table_new();
    char *line = NULL;
    size_t room = 0;
    unsigned number = 0;
    bool ok = true;
    for (ssize_t len; ok && (len = getline(&line, &room, file)) >= 0;) {
        number++;
        ok = read_line(table, ly_bytes(line, (size_t)len), groups, error) ||
             ly_error_prefix(error, "%s line %u", path, number);
    }
    free(line);
    fclose(file);
    if (ok)
        return table;
    id_table_free(table);
    return NULL;
}
