#include "sftp/numbers.h"

#include "base/bytes.h"

#define CASE_ROW(name, number)                                                                               \
    case number:                                                                                             \
        return #name;

const char *ly_sftp_message_name(unsigned type)
{
    switch (type) {
        LY_SFTP_MESSAGES(CASE_ROW)
    default:
        return "?";
    }
}

const char *ly_sftp_status_name(unsigned code)
{
    switch (code) {
        LY_SFTP_STATUSES(CASE_ROW)
    default:
        return "?";
    }
}

const char *ly_sftp_status_text(unsigned code)
{
    static const char *const texts[] = {"Success",           "End of file",     "No such file",
                                        "Permission denied", "Failure",         "Bad message",
                                        "No connection",     "Connection lost", "Operation unsupported"};
    return code < LY_COUNT(texts) ? texts[code] : "Unknown error";
}
