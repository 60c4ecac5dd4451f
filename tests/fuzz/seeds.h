/* What the files that write seeds share. */
#ifndef LY_TESTS_FUZZ_SEEDS_H
#define LY_TESTS_FUZZ_SEEDS_H

#include "fuzz.h"

/* Writes the input of a target, and empties the buffer. */
void put_seed(const char *target, const char *name, LyBuf *input);

void seeds_agent(void);
void seeds_forward(void);
void seeds_library(void);

#endif
