/* lanyard-agent log: what the agent did lately, and why it refused what it refused. */
#include "base/auto.h"
#include "commands.h"
#include "request.h"

typedef struct LogValues {
    uint64_t lines; /* 0: all */
} LogValues;

static const Option log_options[] = {
    {"lines", 'n', "N", OPTION_NUMBER, offsetof(LogValues, lines), 0, "the last N lines"},
    {NULL},
};

static Status print_json(Tool *tool, LyBytes lines)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LyJson json = {.out = &text};
    LyBytes line, time, what;
    ly_json_begin(&json, '[');
    while (ly_bytes_line(&lines, &line)) {
        ly_bytes_split(line, ' ', &time, &what);
        ly_json_begin(&json, '{');
        ly_json_name(&json, "time");
        ly_json_string(&json, time);
        ly_json_name(&json, "text");
        ly_json_string(&json, what);
        ly_json_end(&json, '}');
    }
    ly_json_end(&json, ']');
    return tool_print(tool, ly_buf_bytes(&text));
}

static Status run_log(Tool *tool, void *values, int argc, char **argv)
{
    const LogValues *given = values;
    AgentClient client;
    LY_AUTO(ly_buf_free) LyBuf arguments = {0};
    LY_AUTO(ly_buf_free) LyBuf reply = {0};
    LyBytes contents, lines;
    bool done = false;
    ly_put_u32(&arguments, (uint32_t)given->lines);
    Status status = agent_client_open(tool, &client);
    if (!status)
        status =
            agent_client_extension(&client, AGENT_LOG, ly_buf_bytes(&arguments), &reply, &contents, &done);
    if (!status && !done)
        status =
            tool_fail(tool, STATUS_NO, "the agent shows no log: it is not a lanyard-agent, or it is locked");
    if (!status) {
        LyReader reader = ly_reader(contents);
        lines = ly_get_string(&reader);
        status = tool->json ? print_json(tool, lines) : tool_print(tool, lines);
    }
    agent_client_close(&client);
    return status;
}

const Command log_command = {
    .name = "log",
    .arguments = "",
    .summary = "Show what the agent did lately, and what it refused and why",
    .options = log_options,
    .values_size = sizeof(LogValues),
    .run = run_log,
};
