/* Cleanup at the end of scope: LY_AUTO(ly_buf_free) LyBuf buf = {0}; The function takes a pointer to the
 * variable. */
#ifndef LY_BASE_AUTO_H
#define LY_BASE_AUTO_H

#include "base/memory.h"

#define LY_AUTO(function) __attribute__((cleanup(function)))

/* For variables that are pointers: LY_DEFINE_AUTO(LyKey, ly_key_unref) then LY_AUTO_PTR(LyKey) key = NULL; */
#define LY_DEFINE_AUTO(Type, function)                                                                       \
    static inline void function##_auto(Type **pointer)                                                       \
    {                                                                                                        \
        if (*pointer)                                                                                        \
            function(*pointer);                                                                              \
    }                                                                                                        \
    typedef Type *Type##_auto

static inline void ly_free_auto(void *pointer)
{
    void *memory;
    __builtin_memcpy(&memory, pointer, sizeof memory);
    ly_free(memory);
}
#define LY_AUTO_FREE __attribute__((cleanup(ly_free_auto)))

#endif
