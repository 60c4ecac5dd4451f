/* GLib's face of the library: LyError as GError. */
#ifndef LY_GLIB_ERROR_H
#define LY_GLIB_ERROR_H

#include <glib.h>

#include "base/error.h"

/* The domain; codes are LyErrorCode's. */
#define LY_GERROR (ly_gerror_quark())
GQuark ly_gerror_quark(void);
/* A new GError with the code and the sentence. */
GError *ly_gerror_new(const LyError *error);

#endif
