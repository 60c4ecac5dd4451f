/* ssh_config(5). Where the manual leaves a doubt, `ssh -G` of OpenSSH 9.2 was asked. */
#include <glib.h>

#include "session/config.h"

typedef struct File {
    const char *name, *text;
} File;

typedef struct World {
    const File *files; /* what Include finds; ended by a NULL name */
    GString *commands; /* what Match exec was asked */
    GString *log;
} World;

static void include(void *user, LyConfig *config, const char *pattern)
{
    World *world = user;
    for (const File *file = world->files; file && file->name; file++)
        if (g_pattern_match_simple(pattern, file->name))
            if (!ly_config_read(config, file->name, ly_bytes_str(file->text), false, NULL))
                return;
}

static bool run(void *user, const char *command)
{
    World *world = user;
    g_string_append_printf(world->commands, "%s;", command);
    return g_str_has_prefix(command, "true");
}

static const char *variable(void *user, const char *name)
{
    return strcmp(name, "KEYS") == 0 ? "/keys" : strcmp(name, "EMPTY") == 0 ? "" : NULL;
}

static void log_line(void *user, LyLogLevel level, const char *message)
{
    World *world = user;
    g_string_append_printf(world->log, "%s\n", message);
}

static World world_new(const File *files)
{
    return (World){files, g_string_new(NULL), g_string_new(NULL)};
}

static void world_clear(World *world)
{
    g_string_free(world->commands, TRUE);
    g_string_free(world->log, TRUE);
}

static LyConfig *config_new(World *world, const char *host)
{
    LyConfigOptions options = {
        .host = host,
        .local_user = "me",
        .local_host = "desk.example.org",
        .home = "/home/me",
        .uid = 1000,
        .getenv = variable,
        .source = {.include = include, .exec = run, .user = world},
        .log = {.write = log_line, .user = world, .level = LY_LOG_DEBUG},
    };
    return ly_config_new(&options);
}

static LyConfig *read_for(World *world, const char *host, const char *text)
{
    LyConfig *config = config_new(world, host);
    LyError error = {0};
    bool ok = ly_config_read(config, "config", ly_bytes_str(text), true, &error);
    if (ok && ly_config_wants_final(config)) {
        ly_config_begin_final(config);
        ok = ly_config_read(config, "config", ly_bytes_str(text), true, &error);
    }
    g_assert_cmpstr(error.message, ==, "");
    g_assert_true(ok);
    return config;
}

/* `text` read for `host` gives `value` for the keyword's name; NULL: not set. */
static void expect(const char *host, const char *text, const char *name, const char *value)
{
    World world = world_new(NULL);
    LyConfig *config = read_for(&world, host, text);
    int keyword = ly_config_keyword(ly_bytes_str(name));
    g_assert_cmpint(keyword, >=, 0);
    const char *found = ly_config_string(config, (LyConfigKeyword)keyword);
    if (g_strcmp0(found, value) != 0)
        g_error("for %s, %s is %s, not %s, in:\n%s", host, name, found, value, text);
    ly_config_free(config);
    world_clear(&world);
}

static void expect_error(const char *text, const char *sentence)
{
    World world = world_new(NULL);
    LyConfig *config = config_new(&world, "host");
    LyError error = {0};
    bool ok = ly_config_read(config, "/etc/c", ly_bytes_str(text), true, &error);
    if (ok || !strstr(error.message, sentence))
        g_error("\"%s\" gave \"%s\", not \"%s\"", text, error.message, sentence);
    g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
    ly_config_free(config);
    world_clear(&world);
}

static void test_first_value_wins(void)
{
    expect("host", "Port 22\nPort 23\n", "Port", "22");
    expect("host", "Host *\n Port 1\nHost host\n Port 2\n", "Port", "1");
    expect("host", "Host host\n Port 2\nHost *\n Port 1\n", "Port", "2");
    expect("other", "Host host\n Port 2\nHost *\n Port 1\n", "Port", "1");

    World world = world_new(NULL);
    LyConfig *config = config_new(&world, "host");
    g_assert_true(ly_config_set(config, LY_BYTES("port"), LY_BYTES("2222"), NULL));
    g_assert_true(ly_config_read(config, "config", LY_BYTES("Port 22\nUser me\n"), true, NULL));
    g_assert_true(ly_config_read(config, "config", LY_BYTES("User you\nCompression yes\n"), false, NULL));
    g_assert_true(ly_config_finish(config, NULL));
    g_assert_cmpint(ly_config_number(config, LY_CONFIG_PORT, 0), ==, 2222);
    g_assert_cmpstr(ly_config_string(config, LY_CONFIG_USER), ==, "me");
    g_assert_true(ly_config_flag(config, LY_CONFIG_COMPRESSION, false));
    g_assert_true(ly_config_flag(config, LY_CONFIG_BATCH_MODE, true));
    ly_config_free(config);
    world_clear(&world);
}

static void test_syntax(void)
{
    expect("host", "Port=22", "Port", "22");
    expect("host", "Port = 22", "Port", "22");
    expect("host", "\t Port\t=\t22 \t\r\n", "Port", "22");
    expect("host", "pORT 22\n", "Port", "22");
    expect("host", "Port \"22\"\n", "Port", "22");
    expect("host", "# Port 1\n\n   # Port 2\nPort 22 # the rest\n", "Port", "22");
    expect("host", "User \"a b\"\n", "User", "a b");
    expect("host", "User 'a b'\n", "User", "a b");
    expect("host", "User \"a \\\"b\\\"\"\n", "User", "a \"b\"");
    expect("host", "User a\\ b\n", "User", "a b");
    expect("host", "User a#b\n", "User", "a#b");
    expect("host", "ProxyCommand nc -x \"a b\" %h # kept\n", "ProxyCommand", "nc -x \"a b\" %h # kept");
    expect("host", "ProxyCommand=nc %h %p\n", "ProxyCommand", "nc %h %p");
    expect("host", "ChallengeResponseAuthentication no\n", "KbdInteractiveAuthentication", "no");
    expect("host", "PubkeyAcceptedKeyTypes +ssh-rsa\n", "PubkeyAcceptedAlgorithms", "+ssh-rsa");
}

static void test_host(void)
{
    expect("a.example.org", "Host *.example.org !b.example.org\n Port 1\n", "Port", "1");
    expect("b.example.org", "Host *.example.org !b.example.org\n Port 1\n", "Port", NULL);
    expect("b.example.org", "Host !b.example.org *\n Port 1\n", "Port", NULL);
    expect("c", "Host !b\n Port 1\n", "Port", NULL); /* a negation alone matches nothing */
    expect("host1", "Host host?\n Port 1\n", "Port", "1");
    expect("host", "Host host?\n Port 1\n", "Port", NULL);
    expect("b", "Host a b c\n Port 1\n", "Port", "1");
    expect("b", "Host a\n Port 1\nHost b\n Port 2\n", "Port", "2");
    expect("b", "Host=b\n Port 2\n", "Port", "2");
    expect("b", "Host \"b\"\n Port 2\n", "Port", "2");
    expect("b", "Host B\n Port 2\n", "Port", NULL);
    expect("b", "Host a,b\n Port 2\n", "Port", NULL);
    /* Host looks at what the user wrote, HostName does not change that. */
    expect("b", "HostName real\nHost real\n Port 2\n", "Port", NULL);
}

static void test_match(void)
{
    expect("b", "Match all\n Port 2\n", "Port", "2");
    expect("b", "Match host b\n Port 2\n", "Port", "2");
    expect("b", "Match HOST b\n Port 2\n", "Port", "2");
    expect("b", "match host a,b,c\n Port 2\n", "Port", "2");
    expect("b", "Match host *,!b\n Port 2\n", "Port", NULL);
    expect("b", "Match !host a\n Port 2\n", "Port", "2");
    expect("b", "HostName real\nMatch host real\n Port 2\n", "Port", "2");
    expect("b", "HostName %h.org\nMatch host b.org\n Port 2\n", "Port", "2");
    expect("b", "HostName real\nMatch originalhost b\n Port 2\n", "Port", "2");
    expect("b", "HostName real\nMatch originalhost real\n Port 2\n", "Port", NULL);
    expect("b", "Match user me\n Port 2\n", "Port", "2");
    expect("b", "User you\nMatch user me\n Port 2\n", "Port", NULL);
    expect("b", "User you\nMatch localuser me user you\n Port 2\n", "Port", "2");
    expect("b", "User you\nMatch localuser me user him\n Port 2\n", "Port", NULL);
    expect("b", "Match exec \"true %h %n %p %r %u %L %l %d %i\"\n Port 2\n", "Port", "2");
    expect("b", "Match exec false\n Port 2\n", "Port", NULL);
    expect("b", "Match !exec false\n Port 2\n", "Port", "2");
    expect("b", "Match host b\n Port 2\nMatch all\n User x\n", "User", "x");
    expect("b", "Match host a\n Port 2\nMatch all\n User x\n", "Port", NULL);
    expect("b", "Match tagged x\n Port 2\n", "Port", NULL); /* of newer releases: passed over */

    World world = world_new(NULL);
    LyConfig *config = read_for(&world, "b",
                                "User you\nMatch host a exec \"true no\"\n Port 1\n"
                                "Match exec \"true %h %n %p %r %u %L %l %d %i %%\"\n Port 2\n");
    g_assert_cmpstr(world.commands->str, ==, "true b b 22 you me desk desk.example.org /home/me 1000 %;");
    ly_config_free(config);
    world_clear(&world);

    expect_error("Match\n", "/etc/c line 1: Match needs a condition");
    expect_error("\nMatch host\n", "/etc/c line 2: Match host needs a value");
    expect_error("Match nonsense x\n", "Match does not know \"nonsense\"");
}

static void test_match_final(void)
{
    /* In the second pass HostName is known before the lines above it are read. */
    const char *text = "Match final host real\n Port 2\nHost b\n HostName real\n";
    expect("b", text, "Port", "2");
    expect("c", text, "Port", NULL);
    /* What the first pass set stays. */
    expect("b", "Host b\n Port 1\nMatch final\n Port 2\n", "Port", "1");
    expect("b", "Match !final\n User first\nMatch final\n User second\n", "User", "first");

    World world = world_new(NULL);
    LyConfig *config = config_new(&world, "b");
    g_assert_true(ly_config_read(config, "config", LY_BYTES("Match canonical\n Port 2\n"), true, NULL));
    g_assert_false(ly_config_wants_final(config));
    g_assert_null(ly_config_string(config, LY_CONFIG_PORT));
    ly_config_free(config);
    world_clear(&world);
}

static void test_include(void)
{
    static const File files[] = {
        {"/home/me/.ssh/conf.d/one", "Host b\n Port 1\nHost c\n Port 3\n"},
        {"/home/me/.ssh/conf.d/two", "Port 9\nInclude nested\nUser two\n"},
        {"/home/me/.ssh/nested", "BindAddress ::1\n"},
        {"/home/me/else", "User else\n"},
        {"/abs/keys", "User abs\n"},
        {"/home/me/.ssh/loop", "Include loop\n"},
        {"/home/me/.ssh/bad", "Port 1\nCompression perhaps\n"},
        {"/home/me/.ssh/outer", "\nInclude bad\n"},
        {"/etc/ssh/system", "User system\n"},
        {NULL, NULL},
    };
    static const struct {
        const char *host, *text, *name, *value;
    } rows[] = {
        {"b", "Include conf.d/*\nPort 7\n", "Port", "1"},
        {"x", "Include conf.d/*\nPort 7\n", "Port", "9"},
        {"x", "Include conf.d/*\n", "BindAddress", "::1"},
        {"x", "Include conf.d/one conf.d/two\n", "User", "two"},
        {"x", "Include ~/else\n", "User", "else"},
        {"x", "Include /abs${KEYS}\n", "User", "abs"},
        {"x", "Include none-such\nUser x\n", "User", "x"},
        /* A Host in an included file ends with it, and is itself under the Host that includes. */
        {"x", "Include conf.d/one\nUser after\n", "User", "after"},
        {"b", "Host a\n Include conf.d/one\nHost *\n User after\n", "Port", NULL},
        {"b", "Host b\n Include conf.d/one\n User after\n", "Port", "1"},
        {"x", "Host x\n Include conf.d/one\n User after\n", "User", "after"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        World world = world_new(files);
        LyConfig *config = read_for(&world, rows[i].host, rows[i].text);
        LyConfigKeyword keyword = (LyConfigKeyword)ly_config_keyword(ly_bytes_str(rows[i].name));
        if (g_strcmp0(ly_config_string(config, keyword), rows[i].value) != 0)
            g_error("row %zu gave %s", i, ly_config_string(config, keyword));
        ly_config_free(config);
        world_clear(&world);
    }

    World world = world_new(files);
    LyError error = {0};
    LyConfig *config = config_new(&world, "x");
    g_assert_true(ly_config_read(config, "/etc/ssh/ssh_config", LY_BYTES("Include system\n"), false, &error));
    g_assert_cmpstr(ly_config_string(config, LY_CONFIG_USER), ==, "system");
    g_assert_false(ly_config_read(config, "top", LY_BYTES("Include loop\n"), true, &error));
    g_assert_cmpstr(strstr(error.message, "Include is nested"), ==, "Include is nested more than 16 deep");
    error = (LyError){0};
    g_assert_false(ly_config_read(config, "top", LY_BYTES("Port 1\nInclude outer\n"), true, &error));
    g_assert_cmpstr(error.message, ==, "/home/me/.ssh/bad line 2: Compression cannot be \"perhaps\"");
    /* The error of one file does not stick to the next. */
    g_assert_true(ly_config_read(config, "top", LY_BYTES("Include nested\n"), true, NULL));
    ly_config_free(config);
    world_clear(&world);
}

static void test_unknown(void)
{
    World world = world_new(NULL);
    LyConfig *config = read_for(&world, "b", "ForwardX11 yes\nNoSuchThing a b c\nPort 2\n");
    g_assert_cmpstr(ly_config_string(config, LY_CONFIG_PORT), ==, "2");
    g_assert_nonnull(strstr(world.log->str, "config line 1: ForwardX11 means nothing here"));
    g_assert_nonnull(strstr(world.log->str, "config line 2: NoSuchThing"));
    LyError error = {0};
    g_assert_true(ly_config_set(config, LY_BYTES("ControlMaster"), LY_BYTES("auto"), &error));
    g_assert_false(ly_config_set(config, LY_BYTES("NoSuchThing"), LY_BYTES("x"), &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_UNSUPPORTED);
    g_assert_nonnull(strstr(error.message, "NoSuchThing"));
    g_assert_false(ly_config_set(config, LY_BYTES("Compression"), LY_BYTES("maybe"), &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
    g_assert_cmpint(ly_config_keyword(LY_BYTES("controlpath")), ==, LY_CONFIG_COUNT);
    g_assert_cmpint(ly_config_keyword(LY_BYTES("nosuchthing")), ==, -1);
    g_assert_cmpint(ly_config_keyword(LY_BYTES("IDENTITYFILE")), ==, LY_CONFIG_IDENTITY_FILE);
    ly_config_free(config);
    world_clear(&world);
}

static void test_errors(void)
{
    expect_error("Port\n", "/etc/c line 1: Port needs a value");
    expect_error("Host *\n\n\nPort x\n", "/etc/c line 4: Port cannot be \"x\"");
    expect_error("Port 1 2\n", "Port takes one value");
    expect_error("User \"a\n", "/etc/c line 1: a quote is not closed");
    expect_error("BatchMode ask\n", "BatchMode cannot be \"ask\"");
    expect_error("StrictHostKeyChecking sometimes\n", "StrictHostKeyChecking cannot be");
    expect_error("ConnectTimeout 1y\n", "ConnectTimeout cannot be \"1y\"");
    expect_error("RekeyLimit 8\n", "RekeyLimit cannot be \"8\"");
    expect_error("RekeyLimit 1G 1h x\n", "RekeyLimit takes one value");
    expect_error("ProxyCommand\n", "ProxyCommand needs a value");
    expect_error("Port \033]0;x\007\n", "\\x1b"); /* not shown raw */
    /* More lenient than ssh(1): a block that does not apply is not looked at closely. */
    expect("b", "Host a\n Port x\nHost b\n Port 2\n", "Port", "2");
}

static void test_numbers(void)
{
    static const struct {
        const char *text;
        uint64_t seconds;
    } times[] = {{"90", 90},     {"90s", 90}, {"10m", 600},  {"1h30m", 5400}, {"2D", 172800},
                 {"1w", 604800}, {"none", 0}, {"1h1", 3601}, {"0", 0}};
    static const struct {
        const char *text;
        uint64_t bytes, seconds;
    } sizes[] = {{"1G", 1u << 30, 0},
                 {"512K", 512 << 10, 0},
                 {"1m 1h", 1 << 20, 3600},
                 {"default none", 0, 0},
                 {"default 30m", 0, 1800},
                 {"1G   5m", 1u << 30, 300},
                 {"1000000", 1000000, 0},
                 {"\"1G\" \"1h\"", 1u << 30, 3600},
                 {"1G 1h # comment", 1u << 30, 3600}};
    for (size_t i = 0; i < G_N_ELEMENTS(times); i++) {
        World world = world_new(NULL);
        g_autofree char *text = g_strdup_printf("ConnectTimeout %s\n", times[i].text);
        LyConfig *config = read_for(&world, "b", text);
        g_assert_cmpint(ly_config_number(config, LY_CONFIG_CONNECT_TIMEOUT, 7), ==, times[i].seconds);
        g_assert_cmpint(ly_config_number(config, LY_CONFIG_SERVER_ALIVE_INTERVAL, 7), ==, 7);
        ly_config_free(config);
        world_clear(&world);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        World world = world_new(NULL);
        uint64_t bytes, seconds;
        g_autofree char *text = g_strdup_printf("RekeyLimit %s\n", sizes[i].text);
        LyConfig *config = read_for(&world, "b", text);
        ly_config_rekey_limit(config, &bytes, &seconds);
        g_assert_cmpint(bytes, ==, sizes[i].bytes);
        g_assert_cmpint(seconds, ==, sizes[i].seconds);
        ly_config_free(config);
        world_clear(&world);
    }
}

static void test_lists(void)
{
    World world = world_new(NULL);
    LyError error = {0};
    LyConfig *config = read_for(&world, "b",
                                "IdentityFile ~/a\nIdentityFile ${KEYS}/b-%r-%h\nIdentityFile ~/a\n"
                                "Host *\n IdentityFile %d/c\nUserKnownHostsFile ~/k1 \"/k 2\"\n"
                                "UserKnownHostsFile ~/k3\nIdentityAgent $SOCK\nIPQoS af21 cs1\n");
    g_assert_true(ly_config_finish(config, &error));
    g_assert_cmpstr(ly_config_item(config, LY_CONFIG_IDENTITY_FILE, 0), ==, "/home/me/a");
    g_assert_cmpstr(ly_config_item(config, LY_CONFIG_IDENTITY_FILE, 1), ==, "/keys/b-me-b");
    g_assert_cmpstr(ly_config_item(config, LY_CONFIG_IDENTITY_FILE, 2), ==, "/home/me/c");
    g_assert_null(ly_config_item(config, LY_CONFIG_IDENTITY_FILE, 3));
    g_assert_cmpstr(ly_config_item(config, LY_CONFIG_USER_KNOWN_HOSTS_FILE, 0), ==, "/home/me/k1");
    g_assert_cmpstr(ly_config_item(config, LY_CONFIG_USER_KNOWN_HOSTS_FILE, 1), ==, "/k 2");
    g_assert_null(ly_config_item(config, LY_CONFIG_USER_KNOWN_HOSTS_FILE, 2));
    g_assert_cmpstr(ly_config_string(config, LY_CONFIG_IDENTITY_AGENT), ==, "$SOCK");
    g_assert_cmpstr(ly_config_item(config, LY_CONFIG_IPQOS, 1), ==, "cs1");
    ly_config_free(config);
    world_clear(&world);
}

static void test_finish(void)
{
    World world = world_new(NULL);
    LyError error = {0};
    LyConfig *config = read_for(&world, "b", "");
    g_assert_true(ly_config_finish(config, &error));
    g_assert_cmpstr(ly_config_string(config, LY_CONFIG_HOST_NAME), ==, "b");
    g_assert_cmpstr(ly_config_string(config, LY_CONFIG_USER), ==, "me");
    g_assert_cmpstr(ly_config_string(config, LY_CONFIG_PORT), ==, "22");
    ly_config_free(config);

    config = read_for(&world, "b", "HostName %h.%%.org\n");
    g_assert_true(ly_config_finish(config, &error));
    g_assert_cmpstr(ly_config_string(config, LY_CONFIG_HOST_NAME), ==, "b.%.org");
    ly_config_free(config);

    static const struct {
        const char *text, *sentence;
    } bad[] = {{"HostName %p\n", "HostName knows %h"},
               {"IdentityFile %z\n", "%z"},
               {"IdentityFile a%\n", "single %"},
               {"IdentityFile ${NONE}\n", "${NONE}"},
               {"IdentityFile ${KEYS\n", "without }"}};
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        error = (LyError){0};
        config = read_for(&world, "b", bad[i].text);
        g_assert_false(ly_config_finish(config, &error));
        g_assert_nonnull(strstr(error.message, bad[i].sentence));
        ly_config_free(config);
    }
    world_clear(&world);
}

static void test_tokens(void)
{
    World world = world_new(NULL);
    LyCrypto *crypto = ly_crypto_new(0, NULL);
    LyBuf out = {0};
    LyError error = {0};
    LyConfig *config =
        read_for(&world, "b", "HostName real\nPort 2222\nUser you\nHostKeyAlias alias\nProxyJump gate\n");
    g_assert_true(ly_config_finish(config, &error));
    g_assert_true(ly_config_expand(config, crypto, "%% %d %h %i %j %k %L %l %n %p %r %u ~ ${KEYS}", false,
                                   &out, &error));
    g_assert_cmpstr(ly_buf_str(&out), ==,
                    "% /home/me real 1000 gate alias desk desk.example.org b 2222 you me ~ ${KEYS}");
    ly_buf_clear(&out);
    /* printf 'desk.example.orgreal2222yougate' | sha1sum */
    g_autofree char *digest =
        g_compute_checksum_for_string(G_CHECKSUM_SHA1, "desk.example.orgreal2222yougate", -1);
    g_assert_true(ly_config_expand(config, crypto, "%C", false, &out, &error));
    g_assert_cmpstr(ly_buf_str(&out), ==, digest);
    ly_buf_clear(&out);
    g_assert_false(ly_config_expand(config, NULL, "%C", false, &out, &error));
    g_assert_true(ly_config_expand(config, crypto, "~/x${EMPTY}y", true, &out, &error));
    g_assert_cmpstr(ly_buf_str(&out), ==, "/home/me/xy");
    ly_buf_clear(&out);
    g_assert_true(ly_config_expand(config, crypto, "~other/x", true, &out, &error));
    g_assert_cmpstr(ly_buf_str(&out), ==, "~other/x");
    ly_buf_free(&out);
    ly_config_free(config);
    ly_crypto_unref(crypto);
    world_clear(&world);
}

static void test_proxies(void)
{
    /* Whichever comes first keeps the other out. */
    const char *jump_first = "ProxyJump a\nProxyCommand b\n",
               *command_first = "ProxyCommand b\nProxyJump a\n";
    expect("x", jump_first, "ProxyJump", "a");
    expect("x", jump_first, "ProxyCommand", NULL);
    expect("x", command_first, "ProxyJump", NULL);
    expect("x", command_first, "ProxyCommand", "b");
    expect("x", "ProxyJump none\nHost *\n ProxyJump a\n", "ProxyJump", "none");
}

static void test_algorithms(void)
{
    LyCrypto *crypto = ly_crypto_new(0, NULL);
    World world = world_new(NULL);
    LyError error = {0};
    LyAlgorithms defaults = {0}, algorithms = {0};
    ly_algorithms_init(crypto, &defaults);
    ly_algorithms_init(crypto, &algorithms);
    LyConfig *config = read_for(
        &world, "b",
        "Ciphers aes256-ctr,aes128-ctr\nMACs -hmac-sha1*\nKexAlgorithms +diffie-hellman-group1-sha1\n"
        "HostKeyAlgorithms ^rsa-sha2-256\nPubkeyAcceptedAlgorithms +ssh-rsa\n");
    g_assert_true(ly_config_algorithms(config, crypto, &algorithms, &error));
    g_assert_cmpstr(algorithms.list[LY_ALGORITHMS_CIPHER], ==, "aes256-ctr,aes128-ctr");
    g_assert_null(strstr(algorithms.list[LY_ALGORITHMS_MAC], "hmac-sha1"));
    g_assert_true(g_str_has_suffix(algorithms.list[LY_ALGORITHMS_KEX], ",diffie-hellman-group1-sha1"));
    g_assert_true(g_str_has_prefix(algorithms.list[LY_ALGORITHMS_KEX], defaults.list[LY_ALGORITHMS_KEX]));
    g_assert_true(g_str_has_prefix(algorithms.list[LY_ALGORITHMS_HOST_KEY], "rsa-sha2-256,"));
    g_assert_nonnull(strstr(algorithms.list[LY_ALGORITHMS_USER_KEY], "ssh-rsa"));
    g_assert_cmpstr(algorithms.list[LY_ALGORITHMS_COMPRESSION], ==, "none");
    ly_config_free(config);

    config = read_for(&world, "b", "Compression yes\n");
    g_assert_true(ly_config_algorithms(config, crypto, &algorithms, &error));
    g_assert_cmpstr(algorithms.list[LY_ALGORITHMS_COMPRESSION], ==, "zlib@openssh.com,zlib,none");
    ly_config_free(config);

    config = read_for(&world, "b", "Ciphers aes256-ctr,rot13\n");
    g_assert_false(ly_config_algorithms(config, crypto, &algorithms, &error));
    g_assert_nonnull(strstr(error.message, "Ciphers"));
    g_assert_nonnull(strstr(error.message, "rot13"));
    ly_config_free(config);
    ly_algorithms_clear(&defaults);
    ly_algorithms_clear(&algorithms);
    ly_crypto_unref(crypto);
    world_clear(&world);
}

/* Whatever is in a file, reading it ends, and says so. */
static void test_damage(void)
{
    static const char text[] =
        "Host a \"b c\" !d\n Port 22\nMatch host x exec \"true %h\"\n Include ~/x ${KEYS}\n"
        "RekeyLimit 1G 1h\nIdentityFile ~/.ssh/%r@%h\nProxyCommand nc '%h' %p\n";
    for (size_t len = 0; len < sizeof text; len++) {
        World world = world_new(NULL);
        LyConfig *config = config_new(&world, "a");
        ly_config_read(config, "config", ly_bytes(text, len), true, NULL);
        ly_config_finish(config, NULL);
        ly_config_free(config);
        world_clear(&world);
    }
    for (size_t bit = 0; bit < 8 * (sizeof text - 1); bit++) {
        char damaged[sizeof text];
        World world = world_new(NULL);
        memcpy(damaged, text, sizeof text);
        damaged[bit / 8] = (char)(damaged[bit / 8] ^ 1 << bit % 8);
        LyConfig *config = config_new(&world, "a");
        ly_config_read(config, "config", ly_bytes(damaged, sizeof text - 1), true, NULL);
        ly_config_finish(config, NULL);
        ly_config_free(config);
        world_clear(&world);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/config/first-value-wins", test_first_value_wins);
    g_test_add_func("/config/syntax", test_syntax);
    g_test_add_func("/config/host", test_host);
    g_test_add_func("/config/match", test_match);
    g_test_add_func("/config/match-final", test_match_final);
    g_test_add_func("/config/include", test_include);
    g_test_add_func("/config/unknown", test_unknown);
    g_test_add_func("/config/errors", test_errors);
    g_test_add_func("/config/numbers", test_numbers);
    g_test_add_func("/config/lists", test_lists);
    g_test_add_func("/config/finish", test_finish);
    g_test_add_func("/config/tokens", test_tokens);
    g_test_add_func("/config/proxies", test_proxies);
    g_test_add_func("/config/algorithms", test_algorithms);
    g_test_add_func("/config/damage", test_damage);
    return g_test_run();
}
