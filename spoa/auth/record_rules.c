/* What a record allows: who proves to hold the secret, in which state, from where. */
#include <openssl/crypto.h>

#include "auth/record.h"

/* Both secrets are computed and compared whatever the first comparison says; a secret that is not there
 * is compared too and then disregarded. */
enum record_verdict record_key_verify(const struct key_record *rec, const struct peppers *peppers,
				      struct slice secret, int64_t now)
{
	const struct pepper *first = peppers_find(peppers, rec->current.pepper);
	const struct pepper *second = peppers_find(peppers, rec->previous.pepper);
	uint8_t mac1[KEY_MAC_LEN] = {0};
	uint8_t mac2[KEY_MAC_LEN] = {0};

	bool have1 = first != NULL && key_mac(first, secret, mac1);
	bool have2 = second != NULL && (second == first ? have1 : key_mac(second, secret, mac2));
	bool equal1 = key_mac_equal(mac1, rec->current.mac) && have1;
	bool equal2 = key_mac_equal(second == first ? mac1 : mac2, rec->previous.mac) && have2;
	OPENSSL_cleanse(mac1, sizeof(mac1));
	OPENSSL_cleanse(mac2, sizeof(mac2));
	if (equal1)
		return RECORD_SECRET_OK;
	if (equal2)
		return now < rec->previous_until ? RECORD_SECRET_OK : RECORD_SECRET_ROTATED;
	bool overlapping = rec->previous.pepper != 0 && now < rec->previous_until;
	if (!have1 || (overlapping && !have2))
		return RECORD_SECRET_NO_PEPPER;
	return RECORD_SECRET_WRONG;
}

enum record_status record_key_status(const struct key_record *rec, int64_t now)
{
	if (rec->state == RECORD_REVOKED)
		return RECORD_IS_REVOKED;
	if (rec->state == RECORD_SUSPENDED)
		return RECORD_IS_SUSPENDED;
	if (rec->expires != 0 && now >= rec->expires)
		return RECORD_IS_EXPIRED;
	return RECORD_USABLE;
}

enum record_status record_tenant_status(const struct tenant_record *rec)
{
	return rec->state == RECORD_ACTIVE ? RECORD_USABLE : RECORD_IS_SUSPENDED;
}

bool record_key_allows_address(const struct key_record *rec, const struct netaddr *source)
{
	for (unsigned i = 0; i < rec->network_count; i++)
		if (network_contains(&rec->networks[i], source))
			return true;
	return rec->network_count == 0;
}
