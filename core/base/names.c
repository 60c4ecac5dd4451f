#include "base/names.h"

bool ly_names_next(LyBytes *list, LyBytes *name)
{
    if (list->len == 0)
        return false;
    ly_bytes_split(*list, ',', name, list);
    return true;
}

bool ly_names_contain(LyBytes list, LyBytes name)
{
    LyBytes each;
    while (ly_names_next(&list, &each))
        if (ly_bytes_equal(each, name))
            return true;
    return false;
}

bool ly_names_first_common(LyBytes ours, LyBytes theirs, LyBytes *name)
{
    LyBytes each;
    while (ly_names_next(&ours, &each)) {
        if (ly_names_contain(theirs, each)) {
            *name = each;
            return true;
        }
    }
    return false;
}

bool ly_names_valid(LyBytes list)
{
    if (list.len == 0)
        return true;
    size_t len = 0;
    for (size_t i = 0; i < list.len; i++) {
        uint8_t c = list.data[i];
        if (c <= 0x20 || c >= 0x7f)
            return false;
        len = c == ',' ? 0 : len + 1;
        if (len > 64 || (c == ',' && (i == 0 || list.data[i - 1] == ',')))
            return false;
    }
    return len > 0;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* Greedy with one point to return to: the last `*`. Earlier ones never need another look, so the time is
 * linear in pattern x text and not exponential. */
static bool match(LyBytes pattern, LyBytes text, bool fold_case)
{
    size_t p = 0, t = 0, star = SIZE_MAX, star_text = 0;
    while (t < text.len) {
        uint8_t pc = p < pattern.len ? pattern.data[p] : 0, tc = text.data[t];
        if (fold_case)
            pc = lower(pc), tc = lower(tc);
        if (p < pattern.len && pc == '*') {
            star = p++;
            star_text = t;
        } else if (p < pattern.len && (pc == '?' || pc == tc)) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.data[p] == '*')
        p++;
    return p == pattern.len;
}

bool ly_pattern_match(LyBytes pattern, LyBytes text)
{
    return match(pattern, text, false);
}

int ly_pattern_list_match(LyBytes patterns, LyBytes text, bool fold_case)
{
    LyBytes pattern;
    int verdict = 0;
    while (ly_names_next(&patterns, &pattern)) {
        bool negated = pattern.len && pattern.data[0] == '!';
        if (match(ly_bytes_slice(pattern, negated, pattern.len), text, fold_case)) {
            if (negated)
                return -1;
            verdict = 1;
        }
    }
    return verdict;
}

static void add_once(LyBuf *out, LyBytes name)
{
    if (ly_names_contain(ly_buf_bytes(out), name))
        return;
    if (out->len)
        ly_buf_add_str(out, ",");
    ly_buf_add(out, name);
}

/* Adds those of `all` that the patterns of `change` pick, in the order of `change`. */
static LyNamesError add_picked(LyBuf *out, LyBytes change, LyBytes all, LyBytes *unknown)
{
    LyBytes pattern;
    while (ly_names_next(&change, &pattern)) {
        LyBytes rest = all, name;
        bool found = false;
        while (ly_names_next(&rest, &name)) {
            if (ly_pattern_match(pattern, name)) {
                add_once(out, name);
                found = true;
            }
        }
        if (!found) {
            *unknown = pattern;
            return LY_NAMES_UNKNOWN;
        }
    }
    return LY_NAMES_OK;
}

static void add_all(LyBuf *out, LyBytes names)
{
    LyBytes name;
    while (ly_names_next(&names, &name))
        add_once(out, name);
}

LyNamesError ly_names_change(LyBytes current, LyBytes change, LyBytes all, LyBuf *out, LyBytes *unknown)
{
    LyNamesError error = LY_NAMES_OK;
    char sign = change.len ? (char)change.data[0] : 0;
    LyBytes names =
        sign == '+' || sign == '-' || sign == '^' ? ly_bytes_slice(change, 1, change.len) : change;
    ly_buf_clear(out);
    if (sign == '-') {
        LyBytes name;
        while (ly_names_next(&current, &name))
            if (ly_pattern_list_match(names, name, false) != 1)
                add_once(out, name);
    } else {
        if (sign == '+')
            add_all(out, current);
        error = add_picked(out, names, all, unknown);
        if (sign == '^')
            add_all(out, current);
    }
    return error != LY_NAMES_OK ? error : out->len == 0 ? LY_NAMES_EMPTY : LY_NAMES_OK;
}
