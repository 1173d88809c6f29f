/* HAProxy's tables: every field lies inside the input, rows end, texts stay within their buffers and are
 * printable, and nodes are counted within their bounds. */
#include <stdlib.h>

#include "cli/fleet.h"
#include "cli/stat_csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void walk(struct slice text, bool servers)
{
	struct stat_table t;
	enum stat_status status = servers ? stat_servers_open(text, &t) : stat_csv_open(text, &t);
	char buf[24];
	size_t rows = 0;

	for (; status == STAT_OK && (status = stat_next(&t)) == STAT_OK; rows++) {
		for (size_t i = 0; i < t.columns; i++)
			must(t.fields[i].n == 0 ||
			     (t.fields[i].p >= text.p && t.fields[i].n <= STAT_FIELD_MAX &&
			      t.fields[i].p + t.fields[i].n <= text.p + text.n));
		stat_text(&t, "status", buf, sizeof(buf));
		must(strlen(buf) < sizeof(buf));
		for (const char *c = buf; *c != '\0'; c++)
			must(*c >= 0x20 && *c < 0x7F);
		must(stat_number(&t, "scur") >= -1);
	}
	must(rows <= text.n);
}

/* Both answers in one input, the second behind the first "\n1\n". */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fleet fleet;
	struct slice text = {(const char *)data, size};
	const char *cut = size > 0 ? memmem(data, size, "\n1\n", 3) : NULL;
	size_t first = cut != NULL ? (size_t)(cut + 1 - text.p) : size;

	walk(text, false);
	walk(text, true);
	if (fleet_parse((struct slice){text.p, first}, (struct slice){text.p + first, size - first},
			&fleet) == NULL)
		must(fleet.count <= FLEET_NODES_MAX && fleet.agent_count <= FLEET_AGENTS_MAX);
	for (size_t i = 0; i < fleet.count; i++)
		must(fleet_find(&fleet, fleet.nodes[i].name) != NULL && node_percent(&fleet.nodes[i]) >= -1);
	return 0;
}
