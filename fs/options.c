#include "options.h"

#include <ctype.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/hex.h"
#include "session/config.h"

typedef enum RowKind {
    FLAG,
    SECONDS,
    NUMBER,
    OCTAL,
    PORT,
    STRING,
    SSH,
    FUSE,
    RO,
    CALL,
    NOTHING,
    SILENT,
    ERROR
} RowKind;

typedef struct OptionRow {
    const char *name;
    RowKind kind;
    size_t field;
    /* SSH: the keyword; CALL: which function; NUMBER, OCTAL: which override it switches on */
    const char *detail;
    const char *help;
} OptionRow;

#include "options-table.h"

static const struct {
    char letter;
    const char *name, *value, *help;
} flags[] = {
    {'h', "help", NULL, "print this text"},
    {'V', "version", NULL, "print the version"},
    {'f', NULL, NULL, "stay in the foreground"},
    {'s', NULL, NULL, "accepted: one thread serves everything as it is"},
    {'p', NULL, "PORT", "the server's TCP port"},
    {'C', NULL, NULL, "compress"},
    {'F', NULL, "FILE", "read this ssh_config(5) file; none: no file"},
    {'1', NULL, NULL, "refused: SSH version 1 is not supported"},
    {'d', "debug", NULL, "stay in the foreground and say what happens"},
    {'v', "verbose", NULL, "say more"},
    {'o', NULL, "NAME[=VALUE],...", "options, below; any keyword of ssh_config(5) too"},
};

static void replace(char **field, LyBytes value)
{
    ly_free(*field);
    *field = ly_bytes_dup_str(value);
}

static void add_setting(Options *options, const char *keyword, LyBytes value)
{
    options->settings =
        ly_realloc(options->settings, (options->setting_count + 2) * sizeof *options->settings);
    options->settings[options->setting_count++] =
        ly_format("%s=%.*s", keyword, (int)value.len, (const char *)value.data);
    options->settings[options->setting_count] = NULL;
}

static void note(Options *options, const char *name, const char *why)
{
    LY_AUTO_FREE char *line = ly_format("lanyardfs: -o %s has no effect: %s\n", name, why);
    if (!strstr(ly_buf_str(&options->notes), line)) /* once, however often it is given */
        ly_buf_add_str(&options->notes, line);
}

/* "1", "1.5" seconds in microseconds. */
static bool read_seconds(LyBytes text, uint64_t *us)
{
    LyBytes whole, fraction;
    uint64_t seconds, part = 0;
    bool split = ly_bytes_split(text, '.', &whole, &fraction);
    if (!ly_bytes_number(whole, 1u << 30, &seconds) ||
        (split && (fraction.len > 6 || !ly_bytes_number(fraction, 999999, &part))))
        return false;
    for (size_t i = fraction.len; split && i < 6; i++)
        part *= 10;
    *us = seconds * 1000000 + part;
    return true;
}

static bool read_octal(LyBytes text, uint32_t *value)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '7' || bits > 07777)
            return false;
        bits = bits * 8 + (text.data[i] - '0');
    }
    *value = bits;
    return text.len > 0 && bits <= 07777;
}

static bool set_workarounds(Options *options, LyBytes list, LyError *error)
{
    static const char *const known[] = {"none",     "all",      "rename", "renamexdev",
                                        "truncate", "buflimit", "fstat",  "createmode"};
    for (LyBytes word; list.len;) {
        ly_bytes_split(list, ':', &word, &list);
        bool no = ly_bytes_starts_with(word, "no") && !ly_bytes_is(word, "none");
        LyBytes name = ly_bytes_slice(word, no ? 2 : 0, word.len);
        bool found = false;
        for (size_t i = 0; i < LY_COUNT(known); i++)
            found = found || ly_bytes_is(name, known[i]);
        if (!found)
            return ly_error_set(error, LY_ERROR_INVALID, "-o workaround= does not know \"%s\"",
                                LY_PRINTABLE(word));
        if (ly_bytes_is(name, "rename") || ly_bytes_is(name, "all"))
            options->mount.rename_workaround = !no;
        else if (!no && !ly_bytes_is(name, "none"))
            note(options, "workaround", "only rename is needed");
    }
    return true;
}

static bool one_of(const char *option, LyBytes value, const char *const *words, size_t count, size_t *which,
                   LyError *error)
{
    for (size_t i = 0; i < count; i++) {
        if (ly_bytes_is(value, words[i])) {
            *which = i;
            return true;
        }
    }
    LyBuf list = {0};
    for (size_t i = 0; i < count; i++)
        ly_buf_add_format(&list, "%s%s", i == 0 ? "" : i + 1 == count ? " or " : ", ", words[i]);
    ly_error_set(error, LY_ERROR_INVALID, "-o %s cannot be \"%s\"; it takes %s", option, LY_PRINTABLE(value),
                 ly_buf_str(&list));
    ly_buf_free(&list);
    return false;
}

static void set_cache_timeouts(Options *options, uint64_t us)
{
    options->mount.attr_cache_us = options->mount.dir_cache_us = options->mount.link_cache_us = us;
}

static bool call(Options *options, const OptionRow *row, LyBytes value, LyError *error)
{
    static const char *const yes_no[] = {"no", "yes"};
    static const char *const idmaps[] = {"none", "user", "file"};
    static const char *const nomaps[] = {"ignore", "error"};
    static const char *const policies[] = {"inside", "raw", "rewrite"};
    LyBytes function = ly_bytes_str(row->detail);
    size_t which = 0;
    uint64_t us;
    if (ly_bytes_is(function, "dir_cache")) {
        if (!one_of(row->name, value, yes_no, LY_COUNT(yes_no), &which, error))
            return false;
        if (which == 0)
            set_cache_timeouts(options, 0);
    } else if (ly_bytes_is(function, "dcache_timeout")) {
        if (!read_seconds(value, &us))
            return ly_error_set(error, LY_ERROR_INVALID, "-o %s needs seconds, not \"%s\"", row->name,
                                LY_PRINTABLE(value));
        set_cache_timeouts(options, us);
    } else if (ly_bytes_is(function, "workaround")) {
        return set_workarounds(options, value, error);
    } else if (ly_bytes_is(function, "idmap")) {
        if (!one_of(row->name, value, idmaps, LY_COUNT(idmaps), &which, error))
            return false;
        options->mount.idmap = (IdMap)which;
    } else if (ly_bytes_is(function, "nomap")) {
        if (!one_of(row->name, value, nomaps, LY_COUNT(nomaps), &which, error))
            return false;
        options->mount.nomap_error = which == 1;
    } else if (ly_bytes_is(function, "symlinks")) {
        if (!one_of(row->name, value, policies, LY_COUNT(policies), &which, error))
            return false;
        options->mount.symlinks = (SymlinkPolicy)which;
    } else if (ly_bytes_is(function, "symlinks_inside")) {
        options->mount.symlinks = SYMLINKS_INSIDE;
    } else if (ly_bytes_is(function, "symlinks_raw")) {
        options->mount.symlinks = SYMLINKS_RAW;
    } else if (ly_bytes_is(function, "debug")) {
        options->debug = options->foreground = true;
    } else if (!ly_bytes_is(value, "2")) { /* ssh_protocol */
        return ly_error_set(error, LY_ERROR_UNSUPPORTED, "SSH version %s is not supported, only 2",
                            LY_PRINTABLE(value));
    }
    return true;
}

static void override_switched_on(Options *options, const char *which)
{
    if (!which)
        return;
    options->mount.override_uid = options->mount.override_uid || strcmp(which, "uid") == 0;
    options->mount.override_gid = options->mount.override_gid || strcmp(which, "gid") == 0;
    options->mount.override_umask = options->mount.override_umask || strcmp(which, "umask") == 0;
}

static bool apply(Options *options, const OptionRow *row, LyBytes value, LyError *error)
{
    void *field = (char *)options + row->field;
    uint64_t number;
    switch (row->kind) {
    case FLAG:
        *(bool *)field = true;
        return true;
    case SECONDS:
        return read_seconds(value, field) ||
               ly_error_set(error, LY_ERROR_INVALID, "-o %s needs seconds, not \"%s\"", row->name,
                            LY_PRINTABLE(value));
    case NUMBER:
        if (!ly_bytes_number(value, UINT32_MAX, &number))
            return ly_error_set(error, LY_ERROR_INVALID, "-o %s needs a number, not \"%s\"", row->name,
                                LY_PRINTABLE(value));
        *(uint32_t *)field = (uint32_t)number;
        override_switched_on(options, row->detail);
        return true;
    case OCTAL:
        override_switched_on(options, row->detail);
        return read_octal(value, field) ||
               ly_error_set(error, LY_ERROR_INVALID, "-o %s needs an octal number, not \"%s\"", row->name,
                            LY_PRINTABLE(value));
    case PORT:
        if (!ly_bytes_number(value, 65535, &number) || number == 0)
            return ly_error_set(error, LY_ERROR_INVALID, "\"%s\" is not a TCP port", LY_PRINTABLE(value));
        *(uint16_t *)field = (uint16_t)number;
        return true;
    case STRING:
        replace(field, value);
        return true;
    case SSH:
        add_setting(options, row->detail, value);
        return true;
    case RO:
        options->mount.read_only = true; /* fall through: the kernel is told too */
        __attribute__((fallthrough));
    case FUSE:
        if (options->fuse_options.len)
            ly_buf_add_str(&options->fuse_options, ",");
        ly_buf_add_str(&options->fuse_options, row->name);
        return true;
    case CALL:
        return call(options, row, value, error);
    case NOTHING:
        note(options, row->name, row->help);
        return true;
    case SILENT:
        return true;
    case ERROR:
        break;
    }
    return ly_error_set(error, LY_ERROR_UNSUPPORTED, "-o %s cannot be used: %s", row->name, row->help);
}

static const OptionRow *find_row(LyBytes name)
{
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        size_t len = strcspn(rows[i].name, "=");
        if (name.len == len && memcmp(name.data, rows[i].name, len) == 0)
            return &rows[i];
    }
    return NULL;
}

/* One of -o's: our table first, then ssh_config's names, which are not case-sensitive. */
static bool read_one(Options *options, LyBytes option, LyError *error)
{
    LyBytes name, value;
    bool has_value = ly_bytes_split(option, '=', &name, &value);
    const OptionRow *row = find_row(name);
    if (row) {
        bool wants_value = strchr(row->name, '=') != NULL;
        if (row->kind == SILENT || (row->kind == NOTHING && !wants_value == !has_value))
            return apply(options, row, value, error);
        if (wants_value != has_value)
            return ly_error_set(error, LY_ERROR_INVALID, "-o %s %s", LY_PRINTABLE(name),
                                wants_value ? "needs a value" : "takes no value");
        return apply(options, row, value, error);
    }
    if (ly_bytes_starts_with(name, "x-") || ly_bytes_starts_with(name, "X-"))
        return true; /* fstab's own */
    int keyword = ly_config_keyword(name);
    if (keyword < 0)
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "unknown option -o %s; lanyardfs --help lists them all", LY_PRINTABLE(name));
    if (!has_value)
        return ly_error_set(error, LY_ERROR_INVALID, "-o %s needs a value", LY_PRINTABLE(name));
    LY_AUTO_FREE char *text = ly_bytes_dup_str(name);
    if (keyword == LY_CONFIG_COUNT || keyword == LY_CONFIG_FORWARD_AGENT)
        note(options, text, "it means nothing to a mount");
    else
        add_setting(options, text, value);
    return true;
}

/* "a,b=c\,d": a comma after a backslash belongs to the value. */
static bool read_list(Options *options, const char *list, LyError *error)
{
    LyBuf option = {0};
    bool ok = true;
    for (const char *p = list; ok; p++) {
        if (p[0] == '\\' && (p[1] == ',' || p[1] == '\\')) {
            ly_buf_add(&option, ly_bytes(++p, 1));
        } else if (*p && *p != ',') {
            ly_buf_add(&option, ly_bytes(p, 1));
        } else {
            ok = option.len == 0 || read_one(options, ly_buf_bytes(&option), error);
            ly_buf_clear(&option);
            if (!*p)
                break;
        }
    }
    ly_buf_free(&option);
    return ok;
}

static void add_unescaped(LyBuf *out, LyBytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        bool escape = text.data[i] == '%' && i + 2 < text.len && ly_hex_digit(text.data[i + 1]) >= 0 &&
                      ly_hex_digit(text.data[i + 2]) >= 0;
        uint8_t byte = escape
                           ? (uint8_t)(ly_hex_digit(text.data[i + 1]) << 4 | ly_hex_digit(text.data[i + 2]))
                           : text.data[i];
        ly_buf_add(out, ly_bytes(&byte, 1));
        i += escape ? 2 : 0;
    }
}

/* The last '@' ends the user: names of users may have one, those of hosts may not. */
static LyBytes take_user(Options *options, LyBytes text)
{
    for (size_t i = text.len; i-- > 0;) {
        if (text.data[i] == '@') {
            replace(&options->user, ly_bytes_slice(text, 0, i));
            return ly_bytes_slice(text, i + 1, text.len);
        }
    }
    return text;
}

/* sftp://[user@]host[:port]/dir: an absolute path, or one below the home with /~/dir. */
static bool read_url(Options *options, LyBytes url, LyError *error)
{
    LyBytes authority, path, host, port;
    LyBuf buf = {0};
    uint64_t number;
    bool has_path = ly_bytes_split(ly_bytes_slice(url, strlen("sftp://"), url.len), '/', &authority, &path);
    host = take_user(options, authority);
    if (host.len && host.data[0] == '[') {
        ly_bytes_split(ly_bytes_slice(host, 1, host.len), ']', &host, &port);
        port = ly_bytes_slice(port, ly_bytes_starts_with(port, ":"), port.len);
    } else {
        ly_bytes_split(host, ':', &host, &port);
    }
    if (port.len) {
        if (!ly_bytes_number(port, 65535, &number) || number == 0)
            return ly_error_set(error, LY_ERROR_INVALID, "\"%s\" is not a TCP port", LY_PRINTABLE(port));
        options->port = (uint16_t)number;
    }
    replace(&options->host, host);
    bool below_home = ly_bytes_is(path, "~") || ly_bytes_starts_with(path, "~/");
    if (below_home)
        path = ly_bytes_slice(path, 2, path.len);
    else if (has_path)
        ly_buf_add_str(&buf, "/");
    add_unescaped(&buf, path);
    replace(&options->directory, ly_buf_bytes(&buf));
    ly_buf_free(&buf);
    return true;
}

/* [user@]host:[dir], [user@][2001:db8::1]:[dir], or a URL. */
static bool read_source(Options *options, const char *text, LyError *error)
{
    LyBytes source = ly_bytes_str(text), host, directory;
    if (ly_bytes_starts_with(source, "sftp://")) {
        if (!read_url(options, source, error))
            return false;
    } else {
        const char *bracket = strstr(text, "]:");
        const char *open = strchr(text, '[');
        if (bracket && open && open < bracket && (open == text || open[-1] == '@')) {
            host = ly_bytes(open, (size_t)(bracket - open) + 1);
            replace(&options->directory, ly_bytes_str(bracket + 2));
            if (open != text)
                replace(&options->user, ly_bytes(text, (size_t)(open - text) - 1));
            replace(&options->host, ly_bytes_slice(host, 1, host.len - 2));
        } else {
            if (!ly_bytes_split(source, ':', &host, &directory))
                return ly_error_set(error, LY_ERROR_INVALID, "\"%s\" has no colon; write [user@]host:[dir]",
                                    LY_PRINTABLE(source));
            replace(&options->directory, directory);
            replace(&options->host, take_user(options, host));
        }
    }
    /* Names reach ProxyCommand's shell by %h and %r. */
    if (options->passive && options->host[0] == 0)
        return true; /* ":dir": nobody is called */
    if (options->host[0] == 0 || options->host[0] == '-' || strpbrk(options->host, " \t\n'`\"$\\;&<>|(){},"))
        return ly_error_set(error, LY_ERROR_INVALID, "\"%s\" is not a host name",
                            LY_PRINTABLE(ly_bytes_str(options->host)));
    if (options->user &&
        (options->user[0] == '-' || options->user[0] == 0 || strpbrk(options->user, "\n'`\"\\;&<>|(){}")))
        return ly_error_set(error, LY_ERROR_INVALID, "\"%s\" is not a user name",
                            LY_PRINTABLE(ly_bytes_str(options->user)));
    return true;
}

static void set_defaults(Options *options)
{
    *options = (Options){0};
    options->mount = (MountOptions){
        .entry_timeout_us = 1000000,
        .attr_timeout_us = 1000000,
        .timeout_us = 60 * 1000000ull,
        .nomap_error = true,
        .check_root = true,
    };
    set_cache_timeouts(options, 20 * 1000000ull);
}

static bool read_flags(Options *options, int argc, char **argv, LyError *error)
{
    static const struct option longs[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {"debug", no_argument, NULL, 'd'},
        {"verbose", no_argument, NULL, 'v'},
        {0},
    };
    int letter;
    opterr = 0;
    optind = 0;
    while ((letter = getopt_long(argc, argv, "hVfsp:CF:1dvo:", longs, NULL)) != -1) {
        bool ok = true;
        switch (letter) {
        case 'h':
            options->help = true;
            break;
        case 'V':
            options->version = true;
            break;
        case 'f':
            options->foreground = true;
            break;
        case 's':
            break;
        case 'p':
            ok = apply(options, find_row(LY_BYTES("port")), ly_bytes_str(optarg), error);
            break;
        case 'C':
            add_setting(options, "Compression", LY_BYTES("yes"));
            break;
        case 'F':
            replace(&options->config_file, ly_bytes_str(optarg));
            break;
        case '1':
            ok = call(options, find_row(LY_BYTES("ssh_protocol")), LY_BYTES("1"), error);
            break;
        case 'd':
            options->debug = options->foreground = true;
            break;
        case 'v':
            options->verbose = true;
            break;
        case 'o':
            ok = read_list(options, optarg, error);
            break;
        default:
            ok = ly_error_set(error, LY_ERROR_INVALID,
                              "unknown or incomplete flag \"%s\"; lanyardfs --help lists them all",
                              optind > 0 && argv[optind - 1] ? argv[optind - 1] : "");
        }
        if (!ok)
            return false;
    }
    return true;
}

static bool read_operands(Options *options, int argc, char **argv, LyError *error)
{
    char resolved[PATH_MAX];
    if (argc - optind != 2)
        return ly_error_set(
            error, LY_ERROR_INVALID, "%s; usage: lanyardfs [user@]host:[dir] mountpoint [options]",
            argc - optind < 2 ? argc == optind ? "no host was given" : "no mountpoint was given"
                              : "there are more operands than a host and a mountpoint");
    if (!read_source(options, argv[optind], error))
        return false;
    /* Before the program changes its directory; a dead mount at this place cannot be resolved and is named as
     * it is. */
    replace(&options->mountpoint,
            ly_bytes_str(realpath(argv[optind + 1], resolved) ? resolved : argv[optind + 1]));
    if (!options->fsname)
        replace(&options->fsname, ly_bytes_str(argv[optind]));
    return true;
}

bool options_read(Options *options, int argc, char **argv, LyError *error)
{
    set_defaults(options);
    if (!read_flags(options, argc, argv, error))
        return false;
    if (options->help || options->version)
        return true;
    if (!read_operands(options, argc, argv, error))
        return false;
    if (options->passive)
        options->foreground = true;
    options->mount.base = ly_bytes_str(options->directory);
    options->mount.mountpoint = options->mountpoint;
    options->mount.source = options->fsname;
    options->mount.subtype = options->subtype ? options->subtype : "sshfs";
    options->mount.fuse_options = ly_buf_str(&options->fuse_options);
    options->mount.debug = options->debug;
    options->mount.check_root = !options->no_check_root;
    return true;
}

void options_clear(Options *options)
{
    char **texts[] = {&options->host,        &options->user,        &options->directory,
                      &options->mountpoint,  &options->config_file, &options->ssh_command,
                      &options->sftp_server, &options->uid_file,    &options->gid_file,
                      &options->fsname,      &options->subtype};
    for (size_t i = 0; i < LY_COUNT(texts); i++)
        ly_free(*texts[i]);
    for (size_t i = 0; i < options->setting_count; i++)
        ly_free(options->settings[i]);
    ly_free(options->settings);
    ly_buf_free(&options->fuse_options);
    ly_buf_free(&options->notes);
}

static void help_rows(LyBuf *out, const char *title, bool (*wanted)(RowKind kind))
{
    ly_buf_add_format(out, "\n%s\n", title);
    for (size_t i = 0; i < LY_COUNT(rows); i++)
        if (wanted(rows[i].kind))
            ly_buf_add_format(out, "    -o %-26s %s\n", rows[i].name, rows[i].help);
}

static bool works(RowKind kind)
{
    return kind < NOTHING;
}

static bool accepted(RowKind kind)
{
    return kind == NOTHING || kind == SILENT;
}

static bool refused(RowKind kind)
{
    return kind == ERROR;
}

void options_help(LyBuf *out)
{
    ly_buf_add_str(out, "usage: lanyardfs [user@]host:[dir] mountpoint [options]\n"
                        "       lanyardfs sftp://[user@]host[:port]/dir mountpoint [options]\n\n"
                        "Mounts a directory of an SSH server.\n\n");
    for (size_t i = 0; i < LY_COUNT(flags); i++) {
        char text[40];
        snprintf(text, sizeof text, "-%c%s%s%s%s", flags[i].letter, flags[i].name ? ", --" : "",
                 flags[i].name ? flags[i].name : "", flags[i].value ? " " : "",
                 flags[i].value ? flags[i].value : "");
        ly_buf_add_format(out, "    %-29s %s\n", text, flags[i].help);
    }
    help_rows(out, "Options that work:", works);
    help_rows(out, "Options that are accepted without effect:", accepted);
    help_rows(out, "Options that are refused:", refused);
    ly_buf_add_str(out, "\nUnmount with: fusermount3 -u mountpoint\n");
}
