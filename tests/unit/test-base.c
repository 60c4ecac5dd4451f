/* core/base: views, buffers, wire types, slots, base64, names, secret memory. */
#include <glib.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/names.h"
#include "base/secret.h"
#include "base/slots.h"
#include "base/wire.h"

static void test_bytes(void)
{
    LyBytes head, rest, line, text = LY_BYTES("one\r\ntwo\n\nlast");
    g_assert_true(ly_bytes_split(LY_BYTES("a=b=c"), '=', &head, &rest));
    g_assert_true(ly_bytes_is(head, "a") && ly_bytes_is(rest, "b=c"));
    g_assert_false(ly_bytes_split(LY_BYTES("abc"), '=', &head, &rest));
    g_assert_cmpuint(ly_bytes_find(LY_BYTES("aabaac"), LY_BYTES("aac")), ==, 3);
    g_assert_cmpuint(ly_bytes_find(LY_BYTES("aabaac"), LY_BYTES("aabaac")), ==, 0);
    g_assert_cmpuint(ly_bytes_find(LY_BYTES("aabaac"), LY_BYTES("aabaacc")), ==, SIZE_MAX);
    g_assert_cmpuint(ly_bytes_find(LY_BYTES("aabaac"), LY_BYTES("ca")), ==, SIZE_MAX);
    g_assert_cmpuint(ly_bytes_find(LY_BYTES("aabaac"), (LyBytes){0}), ==, SIZE_MAX);
    g_assert_cmpuint(ly_bytes_find((LyBytes){0}, LY_BYTES("a")), ==, SIZE_MAX);
    g_assert_true(ly_bytes_is(head, "abc") && rest.len == 0);
    const char *lines[] = {"one", "two", "", "last"};
    for (size_t i = 0; i < LY_COUNT(lines); i++) {
        g_assert_true(ly_bytes_line(&text, &line));
        g_assert_true(ly_bytes_is(line, lines[i]));
    }
    g_assert_false(ly_bytes_line(&text, &line));
    g_assert_true(ly_bytes_is(ly_bytes_trim(LY_BYTES(" \t x y\r\n")), "x y"));
    uint64_t number;
    g_assert_true(ly_bytes_number(LY_BYTES("65535"), 65535, &number) && number == 65535);
    g_assert_false(ly_bytes_number(LY_BYTES("65536"), 65535, &number));
    g_assert_false(ly_bytes_number(LY_BYTES("18446744073709551616"), UINT64_MAX, &number));
    g_assert_true(ly_bytes_number(LY_BYTES("18446744073709551615"), UINT64_MAX, &number) &&
                  number == UINT64_MAX);
    g_assert_false(ly_bytes_number(LY_BYTES("7"), 5, &number));
    g_assert_false(ly_bytes_number(LY_BYTES("-1"), 5, &number));
}

static void test_wire(void)
{
    /* RFC 4251 section 5 examples of mpint. */
    static const struct {
        const char *magnitude;
        size_t len;
        const char *wire;
        size_t wire_len;
    } mpints[] = {
        {"", 0, "\0\0\0\0", 4},
        {"\x09\xa3\x78\xf9\xb2\xe3\x32\xa7", 8, "\0\0\0\x08\x09\xa3\x78\xf9\xb2\xe3\x32\xa7", 12},
        {"\x80", 1, "\0\0\0\x02\0\x80", 6},
        {"\0\0\x7f", 3, "\0\0\0\x01\x7f", 5},
    };
    for (size_t i = 0; i < LY_COUNT(mpints); i++) {
        LyBuf buf = {0};
        ly_put_mpint(&buf, ly_bytes(mpints[i].magnitude, mpints[i].len));
        g_assert_cmpmem(buf.data, buf.len, mpints[i].wire, mpints[i].wire_len);
        ly_buf_free(&buf);
    }
    LyReader reader = ly_reader(LY_BYTES("\0\0\0\x01\x80"));
    g_assert_cmpuint(ly_get_mpint(&reader).len, ==, 0);
    g_assert_true(reader.failed);

    LyBuf buf = {0};
    ly_put_u8(&buf, 7);
    ly_put_bool(&buf, true);
    ly_put_u32(&buf, 0x01020304);
    ly_put_u64(&buf, 0x0102030405060708);
    size_t mark = ly_put_string_begin(&buf);
    ly_put_cstring(&buf, "inner");
    ly_put_string_end(&buf, mark);
    for (size_t cut = 0; cut <= buf.len; cut++) {
        reader = ly_reader(ly_bytes(buf.data, cut));
        bool right = ly_get_u8(&reader) == 7;
        right = ly_get_bool(&reader) && right;
        right = ly_get_u32(&reader) == 0x01020304 && right;
        right = ly_get_u64(&reader) == 0x0102030405060708 && right;
        LyReader inner = ly_reader(ly_get_string(&reader));
        right = ly_bytes_is(ly_get_string(&inner), "inner") && right;
        g_assert_true(ly_reader_done(&reader) == (cut == buf.len));
        g_assert_true(right == (cut == buf.len));
    }
    ly_buf_free(&buf);
}

static void test_buf_limit(void)
{
    LyBuf buf = LY_BUF(10);
    ly_buf_add_str(&buf, "12345678");
    g_assert_false(buf.failed);
    ly_buf_add_str(&buf, "abc");
    g_assert_true(buf.failed);
    g_assert_cmpuint(buf.len, ==, 8);
    ly_buf_clear(&buf);
    ly_buf_add_str(&buf, "1234567890");
    g_assert_false(buf.failed);
    ly_buf_drop(&buf, 4);
    g_assert_cmpstr(ly_buf_str(&buf), ==, "567890");
    ly_buf_free(&buf);
}

static void test_slots(void)
{
    LySlots slots;
    uint32_t ids[100], id;
    int items[100];
    ly_slots_init(&slots, 100);
    for (int i = 0; i < 100; i++)
        g_assert_true(ly_slots_take(&slots, &items[i], &ids[i]));
    g_assert_false(ly_slots_take(&slots, &items[0], &id));
    g_assert_true(ly_slots_give(&slots, ids[42]) == &items[42]);
    g_assert_null(ly_slots_find(&slots, ids[42]));
    g_assert_true(ly_slots_take(&slots, &items[42], &id));
    g_assert_cmpuint(id, !=, ids[42]);
    g_assert_null(ly_slots_give(&slots, ids[42]));
    g_assert_true(ly_slots_find(&slots, id) == &items[42]);
    g_assert_null(ly_slots_find(&slots, 0xffffffff));
    uint32_t position = 0, seen = 0;
    while (ly_slots_each(&slots, &position, &id))
        seen++;
    g_assert_cmpuint(seen, ==, 100);
    ly_slots_free(&slots);
}

static void test_base64(void)
{
    static const char *vectors[][2] = {/* RFC 4648 section 10 */
                                       {"", ""},
                                       {"f", "Zg=="},
                                       {"fo", "Zm8="},
                                       {"foo", "Zm9v"},
                                       {"foob", "Zm9vYg=="},
                                       {"fooba", "Zm9vYmE="},
                                       {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < LY_COUNT(vectors); i++) {
        LyBuf text = {0}, bytes = {0};
        ly_base64_encode(&text, ly_bytes_str(vectors[i][0]), 0);
        g_assert_cmpstr(ly_buf_str(&text), ==, vectors[i][1]);
        g_assert_true(ly_base64_decode(&bytes, ly_buf_bytes(&text), false));
        g_assert_cmpstr(ly_buf_str(&bytes), ==, vectors[i][0]);
        ly_buf_free(&text);
        ly_buf_free(&bytes);
    }
    /* A limit that the text just fits, blanks and padding aside. */
    LyBuf tight = LY_BUF(5);
    g_assert_true(ly_base64_decode(&tight, LY_BYTES(" Zm9v \n  Yg== \n"), true));
    g_assert_cmpuint(tight.len, ==, 4);
    ly_buf_free(&tight);
    static const char *bad[] = {"Z",        "Zg",   "Zg=",  "Zh==",  "Zm9=", "=",
                                "Zg==Zg==", "Zm9*", "Zg=a", "Zm 9v", "===="};
    for (size_t i = 0; i < LY_COUNT(bad); i++) {
        LyBuf bytes = {0};
        g_assert_false(ly_base64_decode(&bytes, ly_bytes_str(bad[i]), false));
        g_assert_cmpuint(bytes.len, ==, 0);
        ly_buf_free(&bytes);
    }
}

/* A decoder too simple to be wrong, for what is canonical: encoding again gives the text back. */
static bool decodes(const char *text)
{
    gsize len = 0;
    g_autofree char *plain = g_strdup(text);
    char *to = plain;
    for (const char *from = text; *from; from++)
        if (*from != ' ')
            *to++ = *from;
    *to = 0;
    g_autofree guchar *bytes = g_base64_decode(plain, &len);
    g_autofree char *again = g_base64_encode(bytes, len);
    return g_str_equal(again, plain);
}

/* Every text of up to 9 characters over digits, padding, blanks and damage: the right verdict, and not a byte
 * behind the buffer. */
static void test_base64_damage(void)
{
    static const char alphabet[] = "AQ= *";
    char text[10];
    for (size_t len = 1; len <= 9; len++) {
        size_t count = 1;
        for (size_t i = 0; i < len; i++)
            count *= 5;
        for (size_t n = 0; n < count; n += len < 8 ? 1 : 7) {
            size_t rest = n;
            for (size_t i = 0; i < len; i++, rest /= 5)
                text[i] = alphabet[rest % 5];
            text[len] = 0;
            /* Reserved by a guess, and by counting. */
            LyBuf bytes = n % 2 ? (LyBuf){0} : LY_BUF(6);
            bool good = ly_base64_decode(&bytes, ly_bytes_str(text), true);
            g_assert_true(good == (!strchr(text, '*') && decodes(text)));
            ly_buf_free(&bytes);
        }
    }
}

static void test_hex(void)
{
    uint8_t out[3] = {9, 9, 9};
    LyBuf text = {0};
    ly_put_hex(ly_bytes("\x00\x9f\xa0", 3), &text);
    g_assert_cmpstr(ly_buf_str(&text), ==, "009fa0");
    g_assert_true(ly_hex_read(LY_BYTES("009Fa0"), out, 3) && memcmp(out, "\x00\x9f\xa0", 3) == 0);
    g_assert_true(ly_hex_read((LyBytes){0}, out, 0));
    static const char *const bad[] = {"",       "009fa",  "009fa00", "009fa00f", "009fag",
                                      "00 9fa", "009f/0", "009f:0",  "009f@0",   "009f`0"};
    for (size_t i = 0; i < LY_COUNT(bad); i++)
        g_assert_false(ly_hex_read(ly_bytes_str(bad[i]), out, 3));
    g_assert_true(memcmp(out, "\x00\x9f\xa0", 3) == 0); /* untouched on failure */
    for (unsigned c = 0; c < 256; c++)
        g_assert_true((ly_hex_digit((uint8_t)c) >= 0) == (g_ascii_isxdigit((char)c) != 0));
    ly_buf_free(&text);
}

static void test_names(void)
{
    LyBytes name;
    g_assert_true(ly_names_first_common(LY_BYTES("c,b,a"), LY_BYTES("a,b"), &name) && ly_bytes_is(name, "b"));
    g_assert_false(ly_names_first_common(LY_BYTES("c"), LY_BYTES("cc"), &name));
    g_assert_true(ly_names_valid(LY_BYTES("")) && ly_names_valid(LY_BYTES("a,b")));
    g_assert_false(ly_names_valid(LY_BYTES("a,,b")) || ly_names_valid(LY_BYTES(",a")) ||
                   ly_names_valid(LY_BYTES("a,")));
    g_assert_false(ly_names_valid(LY_BYTES("a b")) || ly_names_valid(LY_BYTES("a\0b")));
    g_assert_true(ly_pattern_match(LY_BYTES("*.example.?om"), LY_BYTES("a.b.example.com")));
    g_assert_false(ly_pattern_match(LY_BYTES("a*b"), LY_BYTES("acc")));
    g_assert_true(
        ly_pattern_match(LY_BYTES("*a*a*a*a*a*a*a*a*a*a*b"), LY_BYTES("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab")));
    g_assert_cmpint(ly_pattern_list_match(LY_BYTES("*.org,!bad.org"), LY_BYTES("bad.org"), false), ==, -1);
    g_assert_cmpint(ly_pattern_list_match(LY_BYTES("*.ORG"), LY_BYTES("a.org"), true), ==, 1);
    static const char *changes[][2] = {{"+z", "a,b,c,z"},   {"-b", "a,c"}, {"^c", "c,a,b"}, {"z,a", "z,a"},
                                       {"^*x", "yx,a,b,c"}, {"-*", NULL},  {"+nope", NULL}};
    for (size_t i = 0; i < LY_COUNT(changes); i++) {
        LyBuf out = {0};
        LyBytes unknown;
        LyNamesError error = ly_names_change(LY_BYTES("a,b,c"), ly_bytes_str(changes[i][0]),
                                             LY_BYTES("a,b,c,yx,z"), &out, &unknown);
        g_assert_true((error == LY_NAMES_OK) == (changes[i][1] != NULL));
        if (changes[i][1])
            g_assert_cmpstr(ly_buf_str(&out), ==, changes[i][1]);
        ly_buf_free(&out);
    }
}

static void test_printable(void)
{
    char text[64];
    g_assert_cmpstr(ly_printable(LY_BYTES("a\x1b[1m\n\xc3\xa9\xc2\x9b\xff%n"), text, sizeof text), ==,
                    "a\\x1b[1m\\x0a\xc3\xa9\\xc2\\x9b\\xff%n");
    g_assert_cmpuint(strlen(ly_printable(LY_BYTES("\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"), text, 20)), <, 20);
}

static void test_secret(void)
{
    void *blocks[200];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 200; i++) {
            blocks[i] = ly_secret_alloc(i * 37 + 1);
            for (size_t k = 0; k < i * 37 + 1; k++)
                g_assert_cmpint(((uint8_t *)blocks[i])[k], ==, 0);
            memset(blocks[i], 0xa5, i * 37 + 1);
        }
        for (size_t i = 0; i < 200; i += 2)
            ly_secret_free(blocks[i]);
        for (size_t i = 1; i < 200; i += 2) {
            g_assert_cmpint(((uint8_t *)blocks[i])[i * 37], ==, 0xa5);
            ly_secret_free(blocks[i]);
        }
    }
}

typedef struct {
    int value;
    LyLink link;
} Item;

static void test_list(void)
{
    LyList list;
    Item items[3] = {{.value = 1}, {.value = 2}, {.value = 3}};
    ly_list_init(&list);
    g_assert_null(ly_list_first(&list, Item, link));
    for (int i = 0; i < 3; i++)
        ly_list_append(&list, &items[i].link);
    int sum = 0;
    ly_list_each(&list, Item, link, item)
    {
        sum = sum * 10 + item->value;
        if (item->value == 2)
            ly_link_remove(&item->link);
    }
    g_assert_cmpint(sum, ==, 123);
    ly_link_remove(&items[1].link);
    g_assert_true(ly_list_first(&list, Item, link) == &items[0]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/bytes", test_bytes);
    g_test_add_func("/base/wire", test_wire);
    g_test_add_func("/base/buf-limit", test_buf_limit);
    g_test_add_func("/base/slots", test_slots);
    g_test_add_func("/base/base64", test_base64);
    g_test_add_func("/base/hex", test_hex);
    g_test_add_func("/base/base64-damage", test_base64_damage);
    g_test_add_func("/base/names", test_names);
    g_test_add_func("/base/printable", test_printable);
    g_test_add_func("/base/secret", test_secret);
    g_test_add_func("/base/list", test_list);
    return g_test_run();
}
