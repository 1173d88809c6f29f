/* The table of tables. */
#include "cli/commands.h"

#include "cli/doctor_command.h"
#include "cli/key_commands.h"
#include "cli/node_commands.h"
#include "cli/shell_commands.h"
#include "cli/status_command.h"
#include "cli/tenant_commands.h"
#include "cli/top_command.h"

static const size_t one = 1;

const struct cli_group cli_groups[] = {
	{"tenant", tenant_commands, &tenant_command_count},
	{"key", key_commands, &key_command_count},
	{"node", node_commands, &node_command_count},
	{"status", &status_command, &one},
	{"top", &top_command, &one},
	{"doctor", &doctor_command, &one},
	{"completion", &completion_command, &one},
	{"man", &man_command, &one},
};

const size_t cli_group_count = sizeof(cli_groups) / sizeof(cli_groups[0]);

const struct cli_variable cli_variables[] = {
	{"TOLLGATE_REDIS_URL",
	 "redis://user:password@host:6379/0 or unix://user:password@/path?db=0; for tenant, key, status and "
	 "doctor"},
	{"TOLLGATE_PEPPER_FILE", "the pepper file of tollgated; key create and key rotate need it"},
	{"TOLLGATE_HAPROXY_SOCKET", "HAProxy's admin socket; for node, status, top and doctor"},
	{"TOLLGATE_METRICS_URL",
	 "where tollgated serves its metrics, several agents separated by commas; for "
	 "status, top and doctor"},
};

const size_t cli_variable_count = sizeof(cli_variables) / sizeof(cli_variables[0]);

bool cli_group_single(const struct cli_group *group)
{
	return group->commands[0].verb == NULL;
}
