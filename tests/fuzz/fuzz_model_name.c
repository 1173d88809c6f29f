/* A canonical name must be its own canonical name, and match itself and `*`. The input's second line is
 * a pattern, the path of /v1/models/ another way in. */
#include <stdint.h>
#include <stdlib.h>

#include "ollama/name.h"
#include "ollama/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check_name(struct slice raw)
{
	struct model_name once;
	struct model_name twice;

	if (!name_parse(raw, &once))
		return;
	require(once.len > 0 && once.len <= NAME_MAX_LEN && strlen(once.text) == once.len);
	require(name_parse(name_slice(&once), &twice));
	require(slice_eq(name_slice(&once), name_slice(&twice)));
	require(once.cloud == twice.cloud && once.registry == twice.registry && !twice.local);
	require(name_matches(SLICE_LIT("*"), name_slice(&once)));
	require(name_matches(name_slice(&once), name_slice(&once)));
}

static void check_path(struct slice model)
{
	char path[1024];
	struct strbuf sb = strbuf_over(path, sizeof(path));
	struct route_match match;

	strbuf_puts(&sb, "/v1/models/");
	strbuf_put(&sb, model);
	if (route_find(SLICE_LIT("GET"), strbuf_slice(&sb), &match) != ROUTE_OK)
		return;
	for (size_t i = 0; i < match.model_len; i++)
		require(match.model[i] > ' ' && match.model[i] != '/' && match.model[i] != '%');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = {(const char *)data, size};
	struct slice name;
	struct slice pattern = {NULL, 0};

	if (!slice_next(&rest, '\n', &name))
		return 0;
	(void)slice_next(&rest, '\n', &pattern);
	check_name(name);
	check_path(name);
	(void)name_matches(pattern, name);
	(void)name_pattern_valid(pattern);
	(void)name_list_matches(pattern, name);
	return 0;
}
