/* The command that runs all checks. */
#include "cli/doctor_command.h"

#include "cli/agent_view.h"
#include "cli/doctor.h"
#include "cli/haproxy.h"
#include "cli/output.h"

static enum cli_exit finish(struct doctor *doctor)
{
	static const char *const results[] = {
		[FINDING_OK] = "ok", [FINDING_SKIP] = "ok", [FINDING_WARN] = "warn", [FINDING_FAIL] = "fail"};
	static const int exits[] = {
		[FINDING_OK] = 0, [FINDING_SKIP] = 0, [FINDING_WARN] = 1, [FINDING_FAIL] = 2};

	config_free(&doctor->config);
	if (doctor->checks != NULL) {
		json_t *json =
			json_pack("{ss so}", "result", results[doctor->worst], "checks", doctor->checks);
		if (!output_object(true, json, NULL, 0))
			return (enum cli_exit)2;
	} else if (fflush(stdout) != 0 || ferror(stdout)) {
		return (enum cli_exit)2;
	}
	return (enum cli_exit)exits[doctor->worst];
}

static enum cli_exit doctor_run(const struct cli *cli)
{
	struct doctor doctor = {.cli = cli};

	if (cli_value(cli, "json") != NULL)
		doctor.checks = json_array();
	doctor_check_config(&doctor);
	doctor_check_files(&doctor);
	doctor_check_haproxy(&doctor);
	doctor_check_agents(&doctor);
	doctor_check_redis(&doctor);
	doctor_check_nodes(&doctor);
	return finish(&doctor);
}

static const struct cli_option options[] = {
	{"config", "FILE", "tollgated's configuration, checked as `tollgated --check` does", false, false},
	{"routes-map", "FILE", "HAProxy's maps/routes.map; default: the map HAProxy has loaded", false,
	 false},
	{"pepper", "FILE", "pepper file; default: that of --config, else $TOLLGATE_PEPPER_FILE", false,
	 false},
	HAPROXY_OPTION,
	METRICS_OPTION,
};

const struct cli_command doctor_command = {
	.group = "doctor",
	.run = doctor_run,
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.summary = "Look for what is wrong and say what to do about it",
	.detail = "Changes nothing. A check that cannot be made is skipped with the reason, like one that "
		  "needs\n"
		  "--config.\n",
	.exits = "0 all is well, 1 warnings, 2 something fails or wrong usage",
};
