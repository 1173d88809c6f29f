/* Checks of HAProxy and of the agents' metrics. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/agent_view.h"
#include "cli/doctor.h"
#include "cli/fleet.h"
#include "cli/haproxy.h"
#include "ollama/route.h"

enum { MAP_MAX = 1 << 20 };

static void check_version(struct doctor *doctor, const char *version)
{
	static const char *const known[] = {"2.6.", "3.0.", "3.2.", "3.4."};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (slice_starts(slice_of(version), slice_of(known[i]))) {
			doctor_say(doctor, FINDING_OK, "haproxy", NULL, "version %s", version);
			return;
		}
	}
	doctor_say(doctor, FINDING_WARN, "haproxy", "use 3.2, or one of 2.6, 3.0 and 3.4",
		   "version %s is not one that Tollgate is tested with", version);
}

static void check_seen_agents(struct doctor *doctor, const struct fleet *fleet)
{
	size_t up = 0;

	for (size_t i = 0; i < fleet->agent_count; i++) {
		const struct node *agent = &fleet->agents[i];
		up += agent->state == NODE_UP;
		if (agent->state != NODE_UP)
			doctor_say(doctor, FINDING_WARN, "haproxy",
				   "is tollgated running, and does it listen where TOLLGATE_SPOP says?",
				   "HAProxy calls %s %s: %s %s", agent->name, agent->status, agent->check,
				   agent->reason);
	}
	if (up > 0)
		doctor_say(doctor, FINDING_OK, "haproxy", NULL, "%zu of %zu agents are up", up,
			   fleet->agent_count);
	else
		doctor_say(doctor, FINDING_FAIL, "haproxy", "start tollgated; see its log",
			   "HAProxy sees no agent up: every request is answered with 503");
}

static struct slice map_line(struct slice line)
{
	line = slice_trim(line);
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line.n > 0 && line.p[0] == '#' ? (struct slice){"", 0} : line;
}

static bool has_line(struct slice text, struct slice wanted)
{
	struct slice line;

	while (slice_next(&text, '\n', &line))
		if (slice_eq(map_line(line), wanted))
			return true;
	return false;
}

/* The first line of `text` that `other` has not. */
static bool missing_line(struct slice text, struct slice other, struct slice *ret)
{
	struct slice line;

	while (slice_next(&text, '\n', &line)) {
		line = map_line(line);
		if (line.n > 0 && !has_line(other, line)) {
			*ret = line;
			return true;
		}
	}
	return false;
}

bool doctor_maps_differ(struct slice map, struct slice table, struct slice *ret_line, bool *ret_extra)
{
	*ret_extra = missing_line(map, table, ret_line);
	return *ret_extra || missing_line(table, map, ret_line);
}

static void compare_maps(struct doctor *doctor, struct slice map, const char *where)
{
	static const char advice[] =
		"write it anew: tollgated --print-routes > maps/routes.map, and reload HAProxy";
	char *text = NULL;
	size_t size = 0;
	struct slice line;
	bool extra;
	FILE *memory = open_memstream(&text, &size);

	if (memory == NULL)
		return;
	route_print_map(memory);
	(void)fclose(memory);
	if (!doctor_maps_differ(map, (struct slice){text, size}, &line, &extra))
		doctor_say(doctor, FINDING_OK, "routes", NULL, "%s is the agent's table of routes", where);
	else if (extra)
		doctor_say(doctor, FINDING_FAIL, "routes", advice,
			   "%s lets a route through that this version of the agent has not: %.*s", where,
			   (int)(line.n < 100 ? line.n : 100), line.p);
	else
		doctor_say(doctor, FINDING_FAIL, "routes", advice, "%s lacks a route of the agent: %.*s",
			   where, (int)(line.n < 100 ? line.n : 100), line.p);
	free(text);
}

static void check_map_file(struct doctor *doctor, const char *path)
{
	char *text = malloc(MAP_MAX);
	FILE *file = fopen(path, "re");

	if (file == NULL || text == NULL) {
		doctor_say(doctor, FINDING_FAIL, "routes", "name HAProxy's maps/routes.map",
			   "%s cannot be read", path);
	} else {
		size_t n = fread(text, 1, MAP_MAX, file);
		compare_maps(doctor, (struct slice){text, n}, path);
	}
	free(text);
	if (file != NULL)
		(void)fclose(file);
}

/* The number of the map whose file is .../routes.map, from `show map`: "17 (/path/routes.map) …". */
static bool find_map(struct slice list, struct slice *ret_id)
{
	static const struct slice name = {"routes.map)", 11};
	struct slice line, word;

	while (slice_next(&list, '\n', &line)) {
		if (!slice_next(&line, ' ', ret_id) || !slice_next(&line, ' ', &word) || word.n <= name.n)
			continue;
		struct slice end = {word.p + word.n - name.n, name.n};
		if (slice_eq(end, name) && end.p[-1] == '/')
			return true;
	}
	return false;
}

/* Cuts the address off each line: "0x560c203b6e20 /api/chat POST body". */
static void cut_addresses(struct haproxy_answer *map)
{
	struct slice rest = {map->p, map->n}, line;
	size_t n = 0;

	while (slice_next(&rest, '\n', &line)) {
		const char *blank = line.n > 0 ? memchr(line.p, ' ', line.n) : NULL;
		if (blank == NULL)
			continue;
		size_t len = line.n - (size_t)(blank + 1 - line.p);
		memmove(map->p + n, blank + 1, len);
		n += len;
		map->p[n++] = '\n';
	}
	map->n = n;
}

static void check_loaded_map(struct doctor *doctor, const char *socket)
{
	struct haproxy_answer list, map;
	char reason[512], command[64];
	struct strbuf err = strbuf_over(reason, sizeof(reason));
	struct strbuf sb = strbuf_over(command, sizeof(command));
	struct slice id;

	if (!haproxy_ask(socket, "show map", &list, &err)) {
		doctor_say(doctor, FINDING_SKIP, "routes", NULL, "%s", reason);
		return;
	}
	if (!find_map((struct slice){list.p, list.n}, &id)) {
		doctor_say(doctor, FINDING_FAIL, "routes", "use the haproxy.cfg that comes with Tollgate",
			   "HAProxy has loaded no routes.map");
	} else {
		strbuf_printf(&sb, "show map #%.*s", SLICE_FMT(id));
		if (!haproxy_ask(socket, command, &map, &err)) {
			doctor_say(doctor, FINDING_SKIP, "routes", NULL, "%s", reason);
		} else {
			cut_addresses(&map);
			compare_maps(doctor, (struct slice){map.p, map.n}, "HAProxy's route map");
			haproxy_answer_free(&map);
		}
	}
	haproxy_answer_free(&list);
}

void doctor_check_haproxy(struct doctor *doctor)
{
	const char *socket = haproxy_socket(doctor->cli), *map = cli_value(doctor->cli, "routes-map");
	char reason[512];
	struct strbuf err = strbuf_over(reason, sizeof(reason));
	struct haproxy_info info;
	struct fleet *fleet = NULL;

	bool asked = haproxy_info(socket, &info, &err) && (fleet = fleet_read(socket, &err)) != NULL;
	if (asked) {
		check_version(doctor, info.version);
		check_seen_agents(doctor, fleet);
	} else {
		doctor_say(doctor, FINDING_FAIL, "haproxy", NULL, "%s", reason);
	}
	if (map != NULL)
		check_map_file(doctor, map);
	else if (asked)
		check_loaded_map(doctor, socket);
	fleet_free(&fleet);
}

static void check_agent(struct doctor *doctor, const struct agent_view *a)
{
	double offset = fabs(a->clock_offset);

	if (a->redis_up && a->tracking && !a->local_limits && !a->audit_broken)
		doctor_say(doctor, FINDING_OK, "agent", NULL,
			   "%s: Redis is up, limits are shared, the audit log is written", a->url);
	if (!a->redis_up)
		doctor_say(doctor, FINDING_FAIL, "agent",
			   "start Redis, or correct [redis] url; see tollgated's log",
			   "%s: Redis is not connected; unknown keys get 503", a->url);
	else if (!a->tracking)
		doctor_say(doctor, FINDING_WARN, "agent",
			   "grant the agent's user +client|tracking and +subscribe",
			   "%s: changes of keys are not heard of; a revoked key may work for minutes",
			   a->url);
	if (a->local_limits)
		doctor_say(doctor, FINDING_WARN, "agent",
			   "it ends by itself when Redis answers in time again",
			   "%s: limits are counted by each agent for itself", a->url);
	if (a->audit_broken)
		doctor_say(doctor, FINDING_FAIL, "agent",
			   "make room on its disk and check the folder's owner",
			   "%s: the audit log cannot be written", a->url);
	if (a->redis_up)
		doctor_say(doctor,
			   offset > 30  ? FINDING_FAIL
			   : offset > 1 ? FINDING_WARN
					: FINDING_OK,
			   "clock",
			   offset > 1 ? "run an NTP client on both hosts; keys would expire at the wrong time"
				      : NULL,
			   "%s: Redis' clock and the agent's are %.3f s apart", a->url, offset);
}

void doctor_check_agents(struct doctor *doctor)
{
	struct agents *agents = calloc(1, sizeof(*agents));
	char reason[512];
	struct strbuf err = strbuf_over(reason, sizeof(reason));

	cli_capture(&err);
	bool ok = agents != NULL && agents_urls(doctor->cli, agents);
	cli_capture(NULL);
	if (!ok) {
		doctor_say(doctor, FINDING_FAIL, "agent", NULL, "%s", reason);
		free(agents);
		return;
	}
	agents_read(agents);
	for (size_t i = 0; i < agents->count; i++) {
		const struct agent_view *a = &agents->agent[i];
		if (a->reached)
			check_agent(doctor, a);
		else
			doctor_say(doctor, FINDING_FAIL, "agent",
				   "start tollgated, or name its [http] listen address with --metrics-url",
				   "%s: %s", a->url, a->why);
	}
	free(agents);
}
