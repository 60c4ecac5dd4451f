/* Programs that come with lanyard-agent. */
#ifndef AGENT_BESIDE_H
#define AGENT_BESIDE_H

/* Where the program is: beside this one, as it is built, or in libexecdir, where it is installed; NULL: it is
 * not there. ly_free. */
char *program_beside(const char *name);

#endif
