#include "transports.h"

bool null_owner_is_ours(void)
{
    return false;
}
