#include "glib/error.h"

G_DEFINE_QUARK(lanyard - error, ly_gerror)

GError *ly_gerror_new(const LyError *error)
{
    return g_error_new_literal(LY_GERROR, (int)error->code, error->message);
}
