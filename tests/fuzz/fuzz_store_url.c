/* Redis URLs: what is accepted keeps the promises of its header, what is refused touches nothing and is
 * told in words that do not quote the URL. */
#include <stdlib.h>

#include "store/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool terminated(const char *text, size_t cap)
{
	return memchr(text, '\0', cap) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_url url;
	struct slice text = {(const char *)data, size};

	memset(&url, 0xA5, sizeof(url));
	const char *wrong = store_url_parse(text, &url);
	if (wrong != NULL) {
		for (size_t i = 0; i < sizeof(url); i++)
			must(((const unsigned char *)&url)[i] == 0xA5);
		must(strlen(wrong) < 100);
		return 0;
	}
	must(terminated(url.host, sizeof(url.host)) && terminated(url.path, sizeof(url.path)));
	must(terminated(url.user, sizeof(url.user)) && terminated(url.password, sizeof(url.password)));
	must((url.host[0] == '\0') != (url.path[0] == '\0'));
	must((url.port == 0) == (url.host[0] == '\0'));
	must(url.path[0] == '\0' || url.path[0] == '/');
	must(url.db <= STORE_URL_DB_MAX && size <= STORE_URL_TEXT_MAX);
	store_url_wipe(&url);
	return 0;
}
