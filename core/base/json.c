#include "base/json.h"

#include "base/memory.h"

#define MEMBERS_LIMIT 64
#define DEPTH_LIMIT 16

/* --- Writing --- */

/* What stands before a value or a name: a comma, a line end, the indentation. */
static void separate(LyJson *json)
{
    if (json->named) {
        json->named = false;
        return;
    }
    if (json->depth == 0)
        return;
    ly_buf_add_str(json->out, json->started ? ",\n" : "\n");
    for (unsigned i = 0; i < json->depth; i++)
        ly_buf_add_str(json->out, "  ");
    json->started = true;
}

void ly_json_begin(LyJson *json, char bracket)
{
    separate(json);
    ly_buf_add(json->out, ly_bytes(&bracket, 1));
    json->depth++;
    json->started = false;
}

void ly_json_end(LyJson *json, char bracket)
{
    json->depth--;
    if (json->started) {
        ly_buf_add_str(json->out, "\n");
        for (unsigned i = 0; i < json->depth; i++)
            ly_buf_add_str(json->out, "  ");
    }
    ly_buf_add(json->out, ly_bytes(&bracket, 1));
    if (json->depth == 0)
        ly_buf_add_str(json->out, "\n");
    json->started = true;
}

void ly_json_name(LyJson *json, const char *name)
{
    separate(json);
    ly_buf_add_format(json->out, "\"%s\": ", name);
    json->named = true;
}

/* The length of the well-formed character that starts the text; 0 when none does. */
static size_t character_len(LyBytes text)
{
    uint8_t first = text.data[0];
    size_t len = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : 4;
    if (len == 1)
        return 1;
    if (first < 0xc2 || first > 0xf4 || text.len < len)
        return 0;
    /* The second byte's range excludes overlong forms, surrogates and what is beyond U+10FFFF. */
    uint8_t least = first == 0xe0   ? 0xa0
                    : first == 0xf0 ? 0x90
                                    : 0x80,
            most = first == 0xed   ? 0x9f
                   : first == 0xf4 ? 0x8f
                                   : 0xbf;
    if (text.data[1] < least || text.data[1] > most)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((text.data[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

bool ly_utf8_valid(LyBytes text)
{
    while (text.len) {
        size_t len = character_len(text);
        if (len == 0)
            return false;
        text = ly_bytes_slice(text, len, text.len);
    }
    return true;
}

void ly_json_string(LyJson *json, LyBytes text)
{
    separate(json);
    ly_buf_add_str(json->out, "\"");
    while (text.len) {
        uint8_t c = text.data[0];
        size_t len = character_len(text);
        if (len == 0)
            ly_buf_add_str(json->out, "\xef\xbf\xbd");
        else if (c == '"' || c == '\\')
            ly_buf_add_format(json->out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            ly_buf_add_format(json->out, "\\u%04x", c);
        else
            ly_buf_add(json->out, ly_bytes_slice(text, 0, len));
        text = ly_bytes_slice(text, len ? len : 1, text.len);
    }
    ly_buf_add_str(json->out, "\"");
}

void ly_json_foreign_name(LyJson *json, LyBytes name)
{
    ly_json_string(json, name);
    ly_buf_add_str(json->out, ": ");
    json->named = true;
}

void ly_json_cstring(LyJson *json, const char *text)
{
    if (text)
        ly_json_string(json, ly_bytes_str(text));
    else
        ly_json_null(json);
}

void ly_json_unsigned(LyJson *json, uint64_t number)
{
    separate(json);
    ly_buf_add_format(json->out, "%llu", (unsigned long long)number);
}

void ly_json_bool(LyJson *json, bool value)
{
    separate(json);
    ly_buf_add_str(json->out, value ? "true" : "false");
}

void ly_json_null(LyJson *json)
{
    separate(json);
    ly_buf_add_str(json->out, "null");
}

/* --- Reading --- */

typedef struct Parser {
    LyBytes text;
    size_t at;
    bool failed;
} Parser;

static int peek(const Parser *parser)
{
    return parser->at < parser->text.len ? parser->text.data[parser->at] : -1;
}

static void skip_space(Parser *parser)
{
    while (peek(parser) == ' ' || peek(parser) == '\t' || peek(parser) == '\n' || peek(parser) == '\r')
        parser->at++;
}

/* Takes this character, after blanks; the failure sticks. */
static bool take(Parser *parser, char c)
{
    skip_space(parser);
    if (parser->failed || peek(parser) != c) {
        parser->failed = true;
        return false;
    }
    parser->at++;
    return true;
}

static bool take_if(Parser *parser, char c)
{
    skip_space(parser);
    if (parser->failed || peek(parser) != c)
        return false;
    parser->at++;
    return true;
}

static unsigned take_hex4(Parser *parser)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        int c = peek(parser), lower = c | 0x20;
        if (c >= '0' && c <= '9')
            value = value << 4 | (unsigned)(c - '0');
        else if (c >= 0 && lower >= 'a' && lower <= 'f')
            value = value << 4 | (unsigned)(lower - 'a' + 10);
        else
            parser->failed = true;
        if (parser->failed)
            return 0;
        parser->at++;
    }
    return value;
}

static void put_utf8(LyBuf *out, unsigned c)
{
    uint8_t bytes[4];
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        bytes[i] = (uint8_t)(0x80 | (c & 0x3f));
    bytes[0] = (uint8_t)(len == 1 ? c : len == 2 ? 0xc0 | c : len == 3 ? 0xe0 | c : 0xf0 | c);
    ly_buf_add(out, ly_bytes(bytes, len));
}

static void take_escape(Parser *parser, LyBuf *out)
{
    static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    int c = peek(parser);
    const char *found = c > 0 ? strchr(letters, c) : NULL;
    parser->at++;
    if (found) {
        put_utf8(out, (unsigned)values[found - letters]);
        return;
    }
    unsigned unit = c == 'u' ? take_hex4(parser) : 0;
    parser->failed |= c != 'u' || (unit >= 0xdc00 && unit < 0xe000);
    if (!parser->failed && unit >= 0xd800 && unit < 0xdc00) {
        parser->failed = peek(parser) != '\\' || parser->at + 1 >= parser->text.len ||
                         parser->text.data[parser->at + 1] != 'u';
        parser->at += 2;
        unsigned low = parser->failed ? 0 : take_hex4(parser);
        parser->failed |= low < 0xdc00 || low >= 0xe000;
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    if (!parser->failed)
        put_utf8(out, unit);
}

/* Appends the string's text to `out`, and says where in it: the storage may still move. */
static void take_string(Parser *parser, LyBuf *out, size_t *start, size_t *len)
{
    *start = out->len;
    take(parser, '"');
    while (!parser->failed && peek(parser) != '"') {
        LyBytes rest = ly_bytes_slice(parser->text, parser->at, parser->text.len);
        size_t character = rest.len ? character_len(rest) : 0;
        if (character == 0 || rest.data[0] < 0x20) {
            parser->failed = true;
        } else if (rest.data[0] == '\\') {
            parser->at++;
            take_escape(parser, out);
        } else {
            ly_buf_add(out, ly_bytes_slice(rest, 0, character));
            parser->at += character;
        }
    }
    take(parser, '"');
    *len = out->len - *start;
}

static void skip_number(Parser *parser)
{
    size_t digits = 0;
    take_if(parser, '-');
    for (int c; (c = peek(parser)) >= 0 && strchr("0123456789+-.eE", c) && c; parser->at++)
        digits++;
    parser->failed |= digits == 0;
}

static void skip_word(Parser *parser)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < LY_COUNT(words); i++) {
        if (ly_bytes_starts_with(ly_bytes_slice(parser->text, parser->at, parser->text.len), words[i])) {
            parser->at += strlen(words[i]);
            return;
        }
    }
    skip_number(parser);
}

static void skip_value(Parser *parser, unsigned depth, LyBuf *scratch)
{
    size_t start, len;
    skip_space(parser);
    int open = peek(parser);
    if (depth > DEPTH_LIMIT) {
        parser->failed = true;
    } else if (open == '"') {
        take_string(parser, scratch, &start, &len);
    } else if (open == '{' || open == '[') {
        char close = open == '{' ? '}' : ']';
        parser->at++;
        if (take_if(parser, close))
            return;
        do {
            if (open == '{') {
                take_string(parser, scratch, &start, &len);
                take(parser, ':');
            }
            skip_value(parser, depth + 1, scratch);
        } while (take_if(parser, ','));
        take(parser, close);
    } else {
        skip_word(parser);
    }
}

typedef struct Place {
    size_t name, name_len, value, value_len;
    bool is_string;
} Place;

/* The members as places in `storage`. */
static size_t take_members(Parser *parser, LyBuf *storage, Place places[MEMBERS_LIMIT])
{
    LyBuf scratch = {0};
    size_t count = 0;
    take(parser, '{');
    if (!take_if(parser, '}')) {
        do {
            Place place = {0};
            take_string(parser, storage, &place.name, &place.name_len);
            take(parser, ':');
            skip_space(parser);
            place.is_string = peek(parser) == '"';
            if (place.is_string)
                take_string(parser, storage, &place.value, &place.value_len);
            else
                skip_value(parser, 1, &scratch);
            if (count < MEMBERS_LIMIT)
                places[count++] = place;
            else
                parser->failed = true;
        } while (take_if(parser, ','));
        take(parser, '}');
    }
    skip_space(parser);
    parser->failed |= parser->at != parser->text.len;
    ly_buf_free(&scratch);
    return count;
}

bool ly_json_read_object(LyBytes text, LyJsonObject *object, LyError *error)
{
    Parser parser = {.text = text};
    Place places[MEMBERS_LIMIT];
    *object = (LyJsonObject){0};
    size_t count = take_members(&parser, &object->storage, places);
    if (parser.failed) {
        ly_json_object_clear(object);
        return ly_error_set(error, LY_ERROR_INVALID, "this is not a JSON object: byte %zu is not expected",
                            parser.at);
    }
    object->members = count ? ly_alloc(count * sizeof *object->members) : NULL;
    LyBytes storage = ly_buf_bytes(&object->storage);
    for (size_t i = 0; i < count; i++) {
        LyBytes name = ly_bytes_slice(storage, places[i].name, places[i].name_len);
        for (size_t other = 0; other < i; other++) {
            if (ly_bytes_equal(object->members[other].name, name)) {
                ly_error_set(error, LY_ERROR_INVALID, "the JSON object has \"%s\" twice", LY_PRINTABLE(name));
                ly_json_object_clear(object);
                return false;
            }
        }
        object->members[object->count++] = (LyJsonMember){
            name, ly_bytes_slice(storage, places[i].value, places[i].value_len), places[i].is_string};
    }
    return true;
}

static const LyJsonMember *find(const LyJsonObject *object, const char *name)
{
    for (size_t i = 0; i < object->count; i++)
        if (ly_bytes_is(object->members[i].name, name))
            return &object->members[i];
    return NULL;
}

bool ly_json_has(const LyJsonObject *object, const char *name)
{
    return find(object, name) != NULL;
}

LyBytes ly_json_get(const LyJsonObject *object, const char *name)
{
    const LyJsonMember *member = find(object, name);
    return member && member->is_string ? member->value : (LyBytes){0};
}

void ly_json_object_clear(LyJsonObject *object)
{
    ly_buf_free(&object->storage);
    ly_free(object->members);
    *object = (LyJsonObject){0};
}
