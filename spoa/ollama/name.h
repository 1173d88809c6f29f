/* Model names. Ollama lets one model go by many names (LLAMA3, library/llama3, llama3:latest:local), so
 * a name is made canonical before it is compared, hashed or counted. After ollama's types/model/name.go
 * and internal/modelref. */
#ifndef TOLLGATE_OLLAMA_NAME_H
#define TOLLGATE_OLLAMA_NAME_H

#include "base/slice.h"

/* Ollama's limits: host 350 bytes, namespace, model and tag 80 each, and three separators. */
#define NAME_MAX_LEN (350 + 80 + 80 + 80 + 3)

struct model_name {
	/* Lower case and shortest: `model:tag`, `namespace/model:tag` or `host/namespace/model:tag`;
	 * registry.ollama.ai and library are left out, the tag never is. NUL-terminated. */
	char text[NAME_MAX_LEN + 1];
	uint16_t len;
	bool cloud;    /* asked to run at ollama.com: tag `cloud` or one that ends in `-cloud` */
	bool local;    /* carried Ollama's `:local` suffix, which is not part of the name */
	bool registry; /* names a host other than registry.ollama.ai */
};

/* False for a name that Ollama would not accept, *ret is then undefined. White space around the name is
 * cut as Ollama does. Cloud names keep their mark, since `gpt-oss:cloud` is not the local
 * `gpt-oss:latest`; `gpt-oss:20b:cloud` becomes `gpt-oss:20b-cloud`, another spelling of the same.
 * A `http://` or `https://` before the host is dropped: it does not change which model is meant. */
bool name_parse(struct slice raw, struct model_name *ret) __attribute__((warn_unused_result));

static inline struct slice name_slice(const struct model_name *n)
{
	return (struct slice){n->text, n->len};
}

/* Does an allow-list's pattern cover a canonical name? Letters' case does not matter.
 *   - Without `*` and `?` a pattern is a name like any other: `llama3` is `llama3:latest` and nothing
 *     else, `library/llama3` the same; a pattern that is no valid name matches nothing.
 *   - With them it is matched against the canonical text as a whole; `*` stands for any run of
 *     characters, slashes and colons included, `?` for one: `llama3:*` is all tags, `*` everything;
 *     `llama*` covers llama3:latest, and llama/x:latest too.
 * Cloud names are not special here; who wants to bar them looks at `cloud`. */
bool name_matches(struct slice pattern, struct slice canonical);

/* Can the pattern match anything at all? For checking what people write into a key. `library/?` cannot:
 * canonical names leave that out. */
bool name_pattern_valid(struct slice pattern);

/* Comma-separated patterns, spaces around them ignored. An empty list covers everything. */
bool name_list_matches(struct slice patterns, struct slice canonical);

#endif
