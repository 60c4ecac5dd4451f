/* JSON (RFC 8259): what our tools print, and the few objects that they read (JWK). */
#ifndef LY_BASE_JSON_H
#define LY_BASE_JSON_H

#include "base/buf.h"
#include "base/error.h"

/* Writing: commas, escapes and indentation (two blanks) are kept right by the writer. Names are ours and
 * plain ASCII. */
typedef struct LyJson {
    LyBuf *out;
    unsigned depth;
    bool started, named; /* something stands before at this depth; a name was just written */
} LyJson;

void ly_json_begin(LyJson *json, char bracket /* '{' or '[' */);
void ly_json_end(LyJson *json, char bracket /* '}' or ']' */); /* behind the outermost a LF follows */
void ly_json_name(LyJson *json, const char *name);
/* A name that somebody else chose: escaped as strings are. */
void ly_json_foreign_name(LyJson *json, LyBytes name);
/* Bytes that are not UTF-8 become U+FFFD one by one: where they matter, ly_utf8_valid decides about a base64
 * twin. */
void ly_json_string(LyJson *json, LyBytes text);
void ly_json_cstring(LyJson *json, const char *text); /* NULL: null */
void ly_json_unsigned(LyJson *json, uint64_t number);
void ly_json_bool(LyJson *json, bool value);
void ly_json_null(LyJson *json);

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool ly_utf8_valid(LyBytes text);

/* Reading: an object whose values are strings (others are passed over, nesting up to 16 deep). */
typedef struct LyJsonMember {
    LyBytes name, value; /* owned by the reading, unescaped UTF-8; no value where it is not a string */
    bool is_string;
} LyJsonMember;
typedef struct LyJsonObject {
    LyJsonMember *members;
    size_t count;
    LyBuf storage; /* may hold secrets: cleansed */
} LyJsonObject;
/* LY_ERROR_INVALID with the byte where it is not JSON; duplicate names are refused. At most 64 members. */
bool ly_json_read_object(LyBytes text, LyJsonObject *object, LyError *error);
/* A member of that name is there, whatever its value. */
bool ly_json_has(const LyJsonObject *object, const char *name);
/* {0} when absent, or not a string. */
LyBytes ly_json_get(const LyJsonObject *object, const char *name);
void ly_json_object_clear(LyJsonObject *object);

#endif
