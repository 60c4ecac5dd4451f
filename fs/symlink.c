#include <errno.h>

#include "symlink.h"

enum { TARGET_LEN_MAX = 4095 };

/* Takes the next component off the path; false at the end. Empty ones and "." do not count. */
static bool next_component(LyBytes *path, LyBytes *component)
{
    while (path->len) {
        const uint8_t *slash = memchr(path->data, '/', path->len);
        size_t len = slash ? (size_t)(slash - path->data) : path->len;
        *component = ly_bytes_slice(*path, 0, len);
        *path = ly_bytes_slice(*path, slash ? len + 1 : len, SIZE_MAX);
        if (component->len && !ly_bytes_is(*component, "."))
            return true;
    }
    return false;
}

/* Whether the walk, begun `depth` directories below the root, ever climbs above it. */
static bool stays_inside(size_t depth, LyBytes target)
{
    LyBytes component;
    while (next_component(&target, &component)) {
        if (!ly_bytes_is(component, ".."))
            depth++;
        else if (depth-- == 0)
            return false;
    }
    return true;
}

/* What is left of an absolute path below the directory; false when it is not below. No "..": the text has to
 * be plain. */
static bool below(LyBytes directory, LyBytes path, LyBytes *rest)
{
    while (directory.len && directory.data[directory.len - 1] == '/')
        directory.len--;
    if (path.len < directory.len || (directory.len && memcmp(path.data, directory.data, directory.len) != 0))
        return false;
    LyBytes tail = ly_bytes_slice(path, directory.len, SIZE_MAX);
    if (tail.len && tail.data[0] != '/')
        return false;
    if (!stays_inside(0, tail))
        return false;
    *rest = tail;
    return true;
}

/* The way from the link's directory up to the root, then down the path, whose ".." stop at the root as in a
 * chroot. */
static void add_from_root(LyBuf *out, size_t depth, LyBytes path)
{
    LyBuf names = {0};
    LyBytes component;
    while (next_component(&path, &component)) {
        if (!ly_bytes_is(component, "..")) {
            ly_buf_add(&names, LY_BYTES("/"));
            ly_buf_add(&names, component);
        } else {
            while (names.len && names.data[--names.len] != '/')
                ;
        }
    }
    for (size_t i = 0; i < depth; i++)
        ly_buf_add_str(out, i ? "/.." : "..");
    if (names.len)
        ly_buf_add(out, depth ? ly_buf_bytes(&names) : ly_bytes_slice(ly_buf_bytes(&names), 1, SIZE_MAX));
    else if (!depth)
        ly_buf_add_str(out, ".");
    ly_buf_free(&names);
}

/* A relative target that climbs too far: the same walk, stopped at the root. */
static void add_clamped(LyBuf *out, size_t depth, LyBytes target)
{
    size_t at = depth;
    LyBytes component, rest = target;
    while (next_component(&rest, &component)) {
        if (!ly_bytes_is(component, ".."))
            at++;
        else if (at > 0)
            at--;
        else /* above the root: what follows starts there */
            target = rest;
    }
    add_from_root(out, depth, target);
}

int symlink_present(const SymlinkRules *rules, size_t depth, LyBytes target, LyBuf *out)
{
    if (target.len == 0 || target.len > TARGET_LEN_MAX || ly_bytes_has_nul(target))
        return target.len > TARGET_LEN_MAX ? ENAMETOOLONG : EIO;
    bool absolute = target.data[0] == '/';
    LyBytes rest;
    if (absolute && (rules->transform || rules->policy == SYMLINKS_REWRITE) && rules->base.data &&
        below(rules->base, target, &rest)) {
        add_from_root(out, depth, rest);
        return 0;
    }
    if (rules->policy == SYMLINKS_RAW) {
        ly_buf_add(out, target);
        return 0;
    }
    bool inside = absolute ? rules->mountpoint.len && below(rules->mountpoint, target, &rest)
                           : stays_inside(depth, target);
    if (inside) {
        ly_buf_add(out, target);
        return 0;
    }
    if (rules->policy == SYMLINKS_INSIDE)
        return EPERM;
    if (absolute)
        add_from_root(out, depth, target);
    else
        add_clamped(out, depth, target);
    return 0;
}
