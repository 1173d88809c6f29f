/* HAProxy's tables and the nodes they make: broken ones first. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "cli/fleet.h"
#include "cli/stat_csv.h"

static enum stat_status walk(struct slice text, bool servers)
{
	struct stat_table t;
	enum stat_status status = servers ? stat_servers_open(text, &t) : stat_csv_open(text, &t);

	while (status == STAT_OK)
		status = stat_next(&t);
	return status;
}

Test(cli_stat_csv, refused)
{
	static const char *const csv[] = {
		"",
		"\n",
		"#",
		"pxname,svname\n",
		"Unknown command\n",
		"# a,b\n\"open\n",
		"# a,b\n\"a\"b,c\n",
		"# a,b\n\"\"\",c\n",
		"# a,b\n1,\"\n",
	};
	static const char *const servers[] = {"",    "# a b\n",  "2\n# a b\n", "1",
					      "1\n", "1\na b\n", "11\n# a\n"};

	for (size_t i = 0; i < sizeof(csv) / sizeof(csv[0]); i++)
		cr_assert_eq(walk(slice_of(csv[i]), false), STAT_BAD, "csv %zu", i);
	for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++)
		cr_assert_eq(walk(slice_of(servers[i]), true), STAT_BAD, "servers %zu", i);
}

Test(cli_stat_csv, bounds)
{
	size_t n = STAT_FIELD_MAX + 16;
	char *text = malloc(n);

	cr_assert_not_null(text);
	memset(text, ',', n);
	memcpy(text, "# ", 2);
	cr_assert_eq(walk((struct slice){text, 2 + STAT_COLUMNS_MAX - 1}, false), STAT_END, "256 columns");
	cr_assert_eq(walk((struct slice){text, 2 + STAT_COLUMNS_MAX}, false), STAT_BAD, "257 columns");
	memset(text + 2, 'x', n - 2);
	cr_assert_eq(walk((struct slice){text, 2 + STAT_FIELD_MAX}, false), STAT_END, "the longest field");
	cr_assert_eq(walk((struct slice){text, 2 + STAT_FIELD_MAX + 1}, false), STAT_BAD, "a longer one");
	free(text);
}

Test(cli_stat_csv, fields)
{
	static const char text[] = "# name,says,n,last\n"
				   "a,\"x, \"\"y\"\"\nz\",12,\n"
				   "\n"
				   "b\n"
				   "c,\"\",-1,\t\x1b[2J,more\n";
	struct stat_table t;
	char buf[16], tiny[4];

	cr_assert_eq(stat_csv_open(slice_of(text), &t), STAT_OK);
	cr_assert_eq(stat_next(&t), STAT_OK);
	stat_text(&t, "says", buf, sizeof(buf));
	cr_assert_str_eq(buf, "x, \"y\"?z");
	stat_text(&t, "says", tiny, sizeof(tiny));
	cr_assert_str_eq(tiny, "x, ", "cut to fit");
	cr_assert_eq(stat_number(&t, "n"), 12);
	cr_assert_eq(stat_number(&t, "last"), -1);
	cr_assert_eq(stat_number(&t, "absent"), -1);
	cr_assert_eq(stat_next(&t), STAT_OK);
	cr_assert(stat_is(&t, "name", "b") && stat_is(&t, "says", ""), "columns it lacks are empty");
	cr_assert_eq(stat_next(&t), STAT_OK);
	stat_text(&t, "says", buf, sizeof(buf));
	cr_assert_str_eq(buf, "");
	cr_assert_eq(stat_number(&t, "n"), -1);
	stat_text(&t, "last", buf, sizeof(buf));
	cr_assert_str_eq(buf, "??[2J", "nothing steers a terminal");
	cr_assert_eq(stat_next(&t), STAT_END);
	cr_assert_eq(stat_next(&t), STAT_END);
}

#define STAT_HEAD \
	"# " \
	"pxname,svname,qcur,scur,slim,stot,status,weight,lastchg,qlimit,type,check_status,uweight,last_" \
	"chk\n"
#define SERVERS_HEAD "1\n# be_name srv_name srv_addr srv_admin_state srv_uweight srv_iweight srv_port\n"

static struct fleet *parse(const char *stat, const char *servers)
{
	struct fleet *fleet = malloc(sizeof(*fleet));

	cr_assert_not_null(fleet);
	const char *wrong = fleet_parse(slice_of(stat), slice_of(servers), fleet);
	cr_assert_null(wrong, "%s", wrong);
	return fleet;
}

Test(cli_fleet, refused)
{
	struct fleet *fleet = malloc(sizeof(*fleet));

	cr_assert_not_null(fleet);
	cr_assert_not_null(fleet_parse(SLICE_LIT("Permission denied\n"), SLICE_LIT(SERVERS_HEAD), fleet));
	cr_assert_not_null(fleet_parse(SLICE_LIT(STAT_HEAD), SLICE_LIT("Can't find backend.\n"), fleet));
	free(fleet);
}

Test(cli_fleet, states)
{
	static const struct {
		const char *status;
		int admin;
		int weight;
		enum node_state state;
		bool settled, drained, usable;
	} rows[] = {
		{"UP", 0, 1, NODE_UP, true, false, true},
		{"UP", 0, 0, NODE_UP, true, false, false},
		{"UP 1/3", 0, 1, NODE_UP, false, false, true},
		{"no check", 0, 1, NODE_UP, true, false, true},
		{"DOWN", 0, 1, NODE_DOWN, true, false, false},
		{"DOWN 1/2", 0, 1, NODE_DOWN, false, false, false},
		{"DOWN", 8, 1, NODE_DOWN, true, true, false},
		{"DRAIN", 8, 1, NODE_DRAIN, true, true, false},
		{"NOLB", 0, 1, NODE_DRAIN, true, false, false},
		{"MAINT", 1, 1, NODE_MAINT, true, false, false},
		{"MAINT", 9, 1, NODE_MAINT, true, false, false},
		{"MAINT (via be/x)", 2, 1, NODE_MAINT, true, false, false},
		{"something new", 0, 1, NODE_DOWN, true, false, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char stat[512], servers[512];
		(void)snprintf(stat, sizeof(stat),
			       STAT_HEAD "be_ollama,n1,1,2,4,9,%s,%d,7,8,2,* L7OK,1,\"said \"\"so\"\"\"\n",
			       rows[i].status, rows[i].weight);
		(void)snprintf(servers, sizeof(servers),
			       SERVERS_HEAD "be_ollama n1 10.0.0.7 %d 50 100 11434\n", rows[i].admin);
		struct fleet *fleet = parse(stat, servers);
		const struct node *n = fleet_find(fleet, "n1");
		cr_assert_not_null(n);
		cr_assert_eq(n->state, rows[i].state, "row %zu", i);
		cr_assert_eq(n->settled, rows[i].settled, "row %zu", i);
		cr_assert_eq(n->drained, rows[i].drained, "row %zu", i);
		cr_assert_eq(node_usable(n), rows[i].usable, "row %zu", i);
		cr_assert_str_eq(n->check, "L7OK");
		cr_assert_str_eq(n->reason, "said \"so\"");
		cr_assert_str_eq(n->host, "10.0.0.7");
		cr_assert_eq(n->port, 11434);
		cr_assert_eq(node_percent(n), 50);
		cr_assert_eq(fleet_others(fleet, n), 0);
		fleet_free(&fleet);
	}
}

Test(cli_fleet, rows_of_proxies)
{
	struct fleet *fleet = parse(STAT_HEAD "fe_api,FRONTEND,,5,1000,9,OPEN,,,,0\n"
					      "be_ollama,n1,0,0,,0,UP,1,1,,2\n"
					      "be_ollama,n2,0,0,,0,UP,1,1,,2\n"
					      "be_ollama,BACKEND,3,0,100,0,UP,2,1,,1\n"
					      "be_tollgated,agent1,0,0,,0,DOWN,1,1,,2\n"
					      "elsewhere,n3,0,0,,0,UP,1,1,,2\n",
				    SERVERS_HEAD "be_ollama n2 - 0 1 1 0\nbe_ollama gone 10.0.0.1 0 1 1 1\n");
	char names[64];
	struct strbuf sb = strbuf_over(names, sizeof(names));

	cr_assert_eq(fleet->count, 2);
	cr_assert_eq(fleet->agent_count, 1);
	cr_assert_eq(fleet->agents[0].state, NODE_DOWN);
	cr_assert_eq(fleet->clients, 5);
	cr_assert_eq(fleet->queue, 3);
	cr_assert_eq(fleet->requests, -1);
	cr_assert_str_eq(fleet->nodes[1].host, "");
	cr_assert_eq(node_percent(&fleet->nodes[0]), -1, "not in the servers' state");
	cr_assert_eq(fleet_others(fleet, &fleet->nodes[0]), 1);
	cr_assert_null(fleet_find(fleet, "n3"));
	fleet_names(fleet, &sb);
	cr_assert_str_eq(names, "n1, n2");
	fleet_free(&fleet);
}
