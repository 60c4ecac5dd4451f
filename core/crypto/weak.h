/* Signs of RSA moduli that can be factored. Public numbers only. */
#ifndef LY_CRYPTO_WEAK_H
#define LY_CRYPTO_WEAK_H

#include "base/bytes.h"

/* CVE-2017-15361 (ROCA): modulo every small prime the modulus is a power of 65537, as those of one maker's
 * chips are. Of other moduli one in about 2^27 is too. */
bool ly_rsa_is_roca(LyBytes modulus);
/* CVE-2022-26320: the prime factors are so close that Fermat's method finds them in that many steps. */
bool ly_rsa_primes_are_close(LyBytes modulus, unsigned steps);

#endif
