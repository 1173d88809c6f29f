/* The one place that knows libcurl. */
#include "cli/fetch.h"

#include <curl/curl.h>
#include <stdlib.h>

static size_t take(char *p, size_t size, size_t n, void *ctx)
{
	struct fetched *to = ctx;

	n *= size;
	if (n > FETCH_MAX - to->n)
		return CURL_WRITEFUNC_ERROR;
	char *grown = realloc(to->p, to->n + n + 1);
	if (grown == NULL)
		return CURL_WRITEFUNC_ERROR;
	memcpy(grown + to->n, p, n);
	to->p = grown;
	to->n += n;
	grown[to->n] = '\0';
	return n;
}

static bool set_up(CURL *curl, const char *url, long timeout_ms, struct fetched *to)
{
	return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, to) == CURLE_OK;
}

static bool get(CURL *curl, const char *url, long timeout_ms, struct fetched *to, struct strbuf *err)
{
	long status = 0;

	if (!set_up(curl, url, timeout_ms, to)) {
		strbuf_puts(err, "libcurl lacks what is needed");
		return false;
	}
	CURLcode code = curl_easy_perform(curl);
	if (code != CURLE_OK) {
		strbuf_puts(err,
			    code == CURLE_WRITE_ERROR ? "the answer is too large" : curl_easy_strerror(code));
		return false;
	}
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200 && to->p != NULL)
		return true;
	if (status == 200)
		strbuf_puts(err, "the answer is empty");
	else
		strbuf_printf(err, "it answers with status %ld", status);
	return false;
}

bool fetch_get(const char *url, long timeout_ms, struct fetched *ret, struct strbuf *err)
{
	CURL *curl = curl_easy_init();

	*ret = (struct fetched){NULL, 0};
	if (curl == NULL) {
		strbuf_puts(err, "out of memory");
		return false;
	}
	bool ok = get(curl, url, timeout_ms, ret, err);
	curl_easy_cleanup(curl);
	if (!ok)
		fetched_free(ret);
	return ok;
}

void fetched_free(struct fetched *fetched)
{
	free(fetched->p);
	*fetched = (struct fetched){NULL, 0};
}
