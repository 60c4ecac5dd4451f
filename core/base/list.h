/* An intrusive doubly linked list: a LyList is the head, each element holds a LyLink. */
#ifndef LY_BASE_LIST_H
#define LY_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct LyLink {
    struct LyLink *prev, *next; /* NULL when in no list */
} LyLink;

typedef struct LyList {
    LyLink head; /* circular once initialised */
} LyList;

static inline void ly_list_init(LyList *list)
{
    list->head.prev = list->head.next = &list->head;
}
static inline bool ly_list_empty(const LyList *list)
{
    return list->head.next == &list->head;
}
static inline void ly_link_insert(LyLink *before, LyLink *link)
{
    link->prev = before->prev;
    link->next = before;
    before->prev->next = link;
    before->prev = link;
}
static inline void ly_list_append(LyList *list, LyLink *link)
{
    ly_link_insert(&list->head, link);
}
static inline void ly_list_prepend(LyList *list, LyLink *link)
{
    ly_link_insert(list->head.next, link);
}
/* Safe on a link that is in no list. */
static inline void ly_link_remove(LyLink *link)
{
    if (!link->next)
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = link->next = NULL;
}

#define ly_container_of(link, Type, member) ((Type *)(void *)((char *)(link)-offsetof(Type, member)))
/* The first element, or NULL. */
#define ly_list_first(list, Type, member)                                                                    \
    (ly_list_empty(list) ? (Type *)NULL : ly_container_of((list)->head.next, Type, member))
/* The body may remove `item`, and nothing else. */
#define ly_list_each(list, Type, member, item)                                                               \
    for (LyLink *item##_link = (list)->head.next, *item##_next = item##_link->next;                          \
         item##_link != &(list)->head; item##_link = item##_next, item##_next = item##_link->next)           \
        for (Type *item = ly_container_of(item##_link, Type, member); item; item = NULL)

#endif
