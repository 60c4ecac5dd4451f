#include "idmap.h"

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
