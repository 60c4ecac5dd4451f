/* Pairs of local and remote ids, from -o uidfile= and gidfile= (idmap=file). */
#ifndef LY_FS_IDMAP_H
#define LY_FS_IDMAP_H

#include "base/error.h"
#include "base/memory.h"

typedef struct IdTable IdTable;

IdTable *id_table_new(void);
void id_table_free(IdTable *table);
/* A later pair with the same local or remote id comes after an earlier one, which wins. */
void id_table_add(IdTable *table, uint32_t local, uint32_t remote);
/* False when the id is in no pair; the output is then untouched. `table` may be NULL: in no pair. */
bool id_table_to_local(const IdTable *table, uint32_t remote, uint32_t *local);
bool id_table_to_remote(const IdTable *table, uint32_t local, uint32_t *remote);

/* Reads a file of "name:remote_id" lines (as sshfs does: name is a local user's, or with `groups` a local
 * group's; a number will do; # begins a comment). NULL: *error names the file and the line. */
IdTable *id_table_read(const char *path, bool groups, LyError *error);

#endif
