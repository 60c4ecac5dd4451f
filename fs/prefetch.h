/* Listings asked for before anybody does: of the directories beside one that is read, and of one whose names
 * are looked up one by one. Each is a guess, so there are few at a time, they count for a short while only,
 * and guesses that turn out wrong end them. */
#ifndef LY_FS_PREFETCH_H
#define LY_FS_PREFETCH_H

#include "listing.h"

/* A directory is opened for reading, and has a listing. */
void prefetch_opened(Mount *mount, Inode *directory);
/* A listing that was asked for ahead is complete. */
void prefetch_listed(Mount *mount, Inode *directory);
/* A name in the directory had to be asked about. */
void prefetch_missed(Mount *mount, Inode *directory);

#endif
