/* What ssh's -L, -R and -D take. */
#include <string.h>

#include "base/memory.h"
#include "loop/forward.h"

#define FIELDS_MAX 4

typedef struct Field {
    char *text;
    bool is_path;
} Field;

/* Takes the next field off *rest, in place; false when its brackets or its escape are malformed. */
static bool take_field(char **rest, Field *field)
{
    char *from = *rest, *to = *rest;
    *field = (Field){.text = to};
    if (*from == '[') {
        char *end = strchr(from, ']');
        if (!end || (end[1] && end[1] != ':'))
            return false;
        *end = 0;
        field->text = from + 1;
        *rest = end[1] ? end + 2 : NULL;
        return true;
    }
    for (; *from && *from != ':'; from++) {
        if (*from == '\\' && !*++from)
            return false;
        field->is_path |= *from == '/';
        *to++ = *from;
    }
    *rest = *from ? from + 1 : NULL;
    *to = 0;
    return true;
}

static bool read_port(const Field *field, bool zero, uint16_t *port)
{
    uint64_t number;
    if (field->is_path || !ly_bytes_number(ly_bytes_str(field->text), UINT16_MAX, &number) ||
        (!number && !zero))
        return false;
    *port = (uint16_t)number;
    return true;
}

/* What is listened on: "path", "port" or "address:port"; returns how many fields it took, 0: malformed. */
static size_t read_listen(const Field *fields, size_t count, LyForwardEnd *end)
{
    if (count == 1 && fields[0].is_path) {
        end->path = fields[0].text;
        return 1;
    }
    if (count < 1 || count > 2 || fields[0].is_path || !read_port(&fields[count - 1], true, &end->port))
        return 0;
    end->host = count == 1 ? "localhost" : fields[0].text;
    return count;
}

/* Where it goes: "path" or "host:port". */
static size_t read_target(const Field *fields, size_t count, LyForwardEnd *end)
{
    if (count >= 1 && fields[count - 1].is_path) {
        end->path = fields[count - 1].text;
        return 1;
    }
    if (count < 2 || fields[count - 2].is_path || !*fields[count - 2].text ||
        !read_port(&fields[count - 1], false, &end->port))
        return 0;
    end->host = fields[count - 2].text;
    return 2;
}

static bool read_ends(const Field *fields, size_t count, bool dynamic, bool remote, LyForwardEnd *listen,
                      LyForwardEnd *to)
{
    /* "port", "address:port" and "path" alone listen for SOCKS clients */
    if (dynamic || (remote && (count == 1 || (count == 2 && !fields[0].is_path && !fields[1].is_path))))
        return read_listen(fields, count, listen) == count;
    size_t taken = read_target(fields, count, to);
    return taken && taken < count && read_listen(fields, count - taken, listen) == count - taken;
}

bool ly_forward_parse(const char *text, bool dynamic, bool remote, LyForwardEnd *listen, LyForwardEnd *to,
                      char **storage, LyError *error)
{
    char *copy = ly_strdup(text), *rest = copy;
    Field fields[FIELDS_MAX];
    size_t count = 0;
    bool good = true;
    LyForwardEnd ends[2] = {{0}};
    while (good && rest) {
        good = count < FIELDS_MAX && take_field(&rest, &fields[count]);
        count++;
    }
    if (!good || !read_ends(fields, count, dynamic, remote, &ends[0], &ends[1])) {
        ly_free(copy);
        return ly_error_set(error, LY_ERROR_INVALID, "cannot forward '%s': it is not of the form %s",
                            LY_PRINTABLE(ly_bytes_str(text)),
                            dynamic
                                ? "[bind_address:]port"
                                : "[bind_address:]port:host:hostport, where a /path may stand in place of "
                                  "either address and port");
    }
    *listen = ends[0];
    *to = ends[1];
    *storage = copy;
    return true;
}
