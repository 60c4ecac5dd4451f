#include "sftp/numbers.h"

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
