/* Times as ssh-keygen, authorized_keys and allowed_signers write them. */
#ifndef LY_KEY_TIME_H
#define LY_KEY_TIME_H

#include "base/error.h"

/* YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, local time (summer time where it is in force) unless Z or UTC
 * follows, as seconds since 1970. LY_ERROR_INVALID, for days that no calendar has and times before 1970 too.
 * (ssh-keygen 9.2 forgets summer time: what it reads then is an hour later.) */
bool ly_time_read(LyBytes text, uint64_t *seconds, LyError *error);

#endif
