/* A program whose standard input and output are ours. */
#ifndef WINDOWS_COMMAND_H
#define WINDOWS_COMMAND_H

#include "transports.h"

/* `program`: the path of an executable, or NULL to have Windows find it by the command line. It inherits its
 * three standard handles and nothing else, and ends with the stream at the latest. */
bool command_start(const char *program, const char *line, Stream *stream, LyError *error);

#endif
