/* Seeds of the target `forward`. */
#include "seeds.h"

#define IN(literal)                                                                                          \
    {                                                                                                        \
        (const uint8_t *)(literal), sizeof(literal) - 1                                                      \
    }

void seeds_forward(void)
{
    static const struct {
        const char *name;
        uint8_t choice;
        LyBytes in;
    } seeds[] = {
        {"socks4", 1, IN("\4\1\0\120\12\0\0\1bob\0rest")},
        {"socks4a", 2, IN("\4\1\1\273\0\0\0\1bob\0example.org\0rest")},
        {"socks5-name", 1, IN("\5\1\0\5\1\0\3\13example.org\1\273rest")},
        {"socks5-ipv6", 0, IN("\5\2\2\0\5\1\0\4\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1\0\120rest")},
        {"socks5-password", 5, IN("\5\2\0\2\1\5alice\6secret\5\1\0\1\12\0\0\2\0\1rest")},
        {"x11-little", 64,
         IN("l\0\13\0\0\0\22\0\20\0\0\0MIT-MAGIC-COOKIE-1\0\0"
            "0123456789abcdefmore")},
        {"x11-big", 64,
         IN("B\0\0\13\0\0\0\22\0\20\0\0MIT-MAGIC-COOKIE-1\0\0"
            "0123456789abcdef")},
        {"authority", 128,
         IN("\1\0\0\4desk\0\1"
            "1\0\22MIT-MAGIC-COOKIE-1\0\3one"
            "\0\0\0\4\12\0\0\1\0\1"
            "0\0\22MIT-MAGIC-COOKIE-1\0\3two"
            "\1\0\0\4desk\0\1"
            "0\0\22MIT-MAGIC-COOKIE-1\0\4zero")},
        {"local", 192, IN("127.0.0.1:8080:[2001:db8::1]:80")},
        {"local-paths", 192, IN("/run/a\\:b:/run/c")},
        {"remote", 196, IN("*:1080")},
        {"dynamic", 200, IN("[::1]:1080")},
        {"display", 192, IN("localhost:10.0")},
    };
    for (size_t i = 0; i < LY_COUNT(seeds); i++) {
        LyBuf input = {0};
        ly_put_u8(&input, seeds[i].choice);
        ly_buf_add(&input, seeds[i].in);
        put_seed("forward", seeds[i].name, &input);
    }
}
