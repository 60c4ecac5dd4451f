#include <glib.h>

#include "base/json.h"

static void test_write(void)
{
    LyBuf out = {0};
    LyJson json = {.out = &out};
    ly_json_begin(&json, '[');
    ly_json_begin(&json, '{');
    ly_json_name(&json, "text");
    ly_json_string(&json, LY_BYTES("a\"b\\c\n\x1b\xc3\xa9\xff"
                                   "z\x00"));
    ly_json_name(&json, "none");
    ly_json_cstring(&json, NULL);
    ly_json_name(&json, "list");
    ly_json_begin(&json, '[');
    ly_json_unsigned(&json, UINT64_MAX);
    ly_json_bool(&json, false);
    ly_json_end(&json, ']');
    ly_json_name(&json, "empty");
    ly_json_begin(&json, '{');
    ly_json_end(&json, '}');
    ly_json_foreign_name(&json, LY_BYTES("a\"\n"));
    ly_json_bool(&json, true);
    ly_json_end(&json, '}');
    ly_json_null(&json);
    ly_json_end(&json, ']');
    g_assert_cmpstr(ly_buf_str(&out), ==,
                    "[\n  {\n    \"text\": \"a\\\"b\\\\c\\u000a\\u001b\xc3\xa9\xef\xbf\xbdz\\u0000\",\n"
                    "    \"none\": null,\n    \"list\": [\n      18446744073709551615,\n      false\n    ],\n"
                    "    \"empty\": {},\n    \"a\\\"\\u000a\": true\n  },\n  null\n]\n");
    ly_buf_free(&out);
}

static void test_utf8(void)
{
    static const char *const good[] = {
        "", "a", "\xc2\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf", "\xe0\xa0\x80"};
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xc3",
                                      "\xe2\x82",
                                      "\xff",
                                      "a\xe2\x28\xa1"};
    for (size_t i = 0; i < LY_COUNT(good); i++)
        g_assert_true(ly_utf8_valid(ly_bytes_str(good[i])));
    for (size_t i = 0; i < LY_COUNT(bad); i++)
        g_assert_false(ly_utf8_valid(ly_bytes_str(bad[i])));
}

static const char sample[] =
    " {\"kty\" :\"EC\",\n \"n\": -1.5e+3, \"ops\": [\"sign\", {\"a\": [true, null]}, {}, []],"
    "\"text\": \"\\u00e9\\ud83d\\ude00\\n\\/\\\\\", \"\": \"nameless\"}\r\n";

static void test_read(void)
{
    LyJsonObject object;
    LyError error = {0};
    g_assert_true(ly_json_read_object(ly_bytes_str(sample), &object, &error));
    g_assert_cmpuint(object.count, ==, 5);
    g_assert_true(ly_json_has(&object, "n") && ly_json_has(&object, "") && !ly_json_has(&object, "a"));
    g_assert_true(ly_bytes_is(ly_json_get(&object, "kty"), "EC"));
    g_assert_true(ly_bytes_is(ly_json_get(&object, "text"), "\xc3\xa9\xf0\x9f\x98\x80\n/\\"));
    g_assert_true(ly_bytes_is(ly_json_get(&object, ""), "nameless"));
    g_assert_cmpuint(ly_json_get(&object, "n").len, ==, 0);
    ly_json_object_clear(&object);
}

static void test_refused(void)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{",
        "{}x",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\udc00\"}",
        "{\"a\":\"\xff\"}",
        "{\"a\":tru}",
        "{\"a\":\"b}",
        "{\"a\":\"1\",\"a\":\"2\"}",
        "{\"a\":[1 2]}",
        "{\"a\":[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]}",
    };
    LyJsonObject object;
    LyError error = {0};
    for (size_t i = 0; i < LY_COUNT(bad); i++) {
        g_assert_false(ly_json_read_object(ly_bytes_str(bad[i]), &object, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
        g_assert_null(object.members);
    }
    /* Every truncation is refused: only the blanks behind the last brace may go. */
    LyBytes text = ly_bytes_str(sample);
    for (size_t len = 0; len < text.len - 2; len++)
        g_assert_false(ly_json_read_object(ly_bytes_slice(text, 0, len), &object, NULL));
    for (size_t bit = 0; bit < text.len * 8; bit++) {
        g_autofree uint8_t *copy = g_memdup2(text.data, text.len);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (ly_json_read_object(ly_bytes(copy, text.len), &object, NULL))
            ly_json_object_clear(&object);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json/write", test_write);
    g_test_add_func("/json/utf8", test_utf8);
    g_test_add_func("/json/read", test_read);
    g_test_add_func("/json/refused", test_refused);
    return g_test_run();
}
