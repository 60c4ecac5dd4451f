/* What core/base does otherwise on Windows: secret memory, cleansing, formats. Prints what went wrong. */
#include <stdio.h>
#include <windows.h>

#include "base/auto.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/secret.h"

static int failures;

static void check(bool right, const char *what)
{
    if (!right) {
        printf("%s\n", what);
        failures++;
    }
}

static bool can_be_read(const uint8_t *address)
{
    MEMORY_BASIC_INFORMATION information;
    return VirtualQuery(address, &information, sizeof information) == sizeof information &&
           information.State == MEM_COMMIT && information.Protect == PAGE_READWRITE;
}

static bool all_zero(const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (data[i])
            return false;
    return true;
}

static DWORD WINAPI allocate(void *argument)
{
    volatile LONG *wrong = argument;
    for (unsigned i = 0; i < 2000; i++) {
        size_t len = 1 + i % 500;
        uint8_t *secret = ly_secret_alloc(len);
        if (!all_zero(secret, len))
            InterlockedIncrement(wrong);
        memset(secret, (int)i | 1, len);
        ly_secret_free(secret);
    }
    return 0;
}

static void secret_memory(void)
{
    uint8_t *secret = ly_secret_alloc(100);
    check(ly_secret_locked(), "the first arena is not locked");
    check(all_zero(secret, 100), "secret memory is not zeroed");
    memset(secret, 0x55, 100);
    const uint8_t *start = secret;
    while (can_be_read(start - 1))
        start -= (uintptr_t)start % 4096 ? (uintptr_t)start % 4096 : 4096;
    check(secret - start < 4096, "there is no guard page before the arena");
    check(can_be_read(start + ((size_t)256 << 10) - 1) && !can_be_read(start + ((size_t)256 << 10)),
          "there is no guard page behind the arena");
    ly_secret_free(secret);
    check(all_zero(secret, 100), "secret memory is not cleansed when it is given back");
    uint8_t *large = ly_secret_alloc((size_t)1 << 20);
    large[((size_t)1 << 20) - 1] = 1;
    ly_secret_free(large);

    volatile LONG wrong = 0;
    HANDLE threads[4];
    for (size_t i = 0; i < LY_COUNT(threads); i++)
        threads[i] = CreateThread(NULL, 0, allocate, (void *)(uintptr_t)&wrong, 0, NULL);
    WaitForMultipleObjects(LY_COUNT(threads), threads, TRUE, INFINITE);
    check(wrong == 0, "threads see each other's secrets");
}

static void formats(void)
{
    size_t count = (size_t)5 << 32;
    LY_AUTO_FREE char *text = ly_format("%zu %llu %.*s", count, (unsigned long long)UINT64_MAX, 2, "abc");
    check(strcmp(text, "21474836480 18446744073709551615 ab") == 0, text);
    LyError error;
    ly_error_set(&error, LY_ERROR_INVALID, "%zu bytes", count);
    check(strcmp(error.message, "21474836480 bytes") == 0, error.message);
    uint8_t data[64];
    memset(data, 7, sizeof data);
    ly_cleanse(data, sizeof data);
    check(all_zero(data, sizeof data), "ly_cleanse leaves something");
}

int main(void)
{
    secret_memory();
    formats();
    printf("checked\n");
    return failures > 0;
}
