/* tollgated: the command line and the signals. */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "daemon/agent.h"
#include "ollama/route.h"

enum { EXIT_CONFIG = 1, EXIT_USAGE = 2, EXIT_START = 3 };

static const char usage_text[] =
	"Usage: tollgated --config FILE [--check | --dump-config]\n"
	"       tollgated --print-routes | --version | --help\n"
	"\n"
	"The SPOE agent of Tollgate: decides for HAProxy which requests may reach an Ollama node.\n"
	"\n"
	"  -c, --config FILE   the configuration (INI)\n"
	"      --check         read the configuration, name every error with its line, and end\n"
	"      --dump-config   print every setting in force, with its help and default, and end\n"
	"      --print-routes  print the map of routes that HAProxy's configuration needs, and end\n"
	"      --version       print the version and end\n"
	"      --help          print this text and end\n"
	"\n"
	"Signals: TERM and INT finish what is being decided and end; HUP reads the configuration again.\n"
	"Exit code: 0 ended on request, 1 the configuration is wrong, 2 wrong usage, 3 a part could not "
	"start.\n";

enum action { ACTION_RUN, ACTION_CHECK, ACTION_DUMP };

struct options {
	const char *config_path;
	enum action action;
};

static void parse_options(int argc, char **argv, struct options *ret)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'},
		{"dump-config", no_argument, NULL, 'd'},
		{"print-routes", no_argument, NULL, 'r'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			ret->config_path = optarg;
			break;
		case 'k':
			ret->action = ACTION_CHECK;
			break;
		case 'd':
			ret->action = ACTION_DUMP;
			break;
		case 'r':
			route_print_map(stdout);
			exit(EXIT_SUCCESS);
		case 'v':
			puts("tollgated " TOLLGATE_VERSION);
			exit(EXIT_SUCCESS);
		case 'h':
			fputs(usage_text, stdout);
			exit(EXIT_SUCCESS);
		default:
			fputs("Try 'tollgated --help'.\n", stderr);
			exit(EXIT_USAGE);
		}
	}
	if (optind < argc || ret->config_path == NULL) {
		fputs("tollgated: needs --config FILE and no other words. Try 'tollgated --help'.\n", stderr);
		exit(EXIT_USAGE);
	}
}

static bool load(const char *path, struct config *config)
{
	struct config_errors errors = {.count = 0};

	if (config_load(path, config, &errors))
		return true;
	for (unsigned i = 0; i < errors.count && i < CONFIG_ERRORS_MAX; i++)
		fprintf(stderr, "%s\n", errors.text[i]);
	if (errors.count > CONFIG_ERRORS_MAX)
		fprintf(stderr, "and %u more errors\n", errors.count - CONFIG_ERRORS_MAX);
	return false;
}

static void on_stop(struct ev_loop *loop, ev_signal *signal, int revents)
{
	(void)loop;
	(void)revents;
	log_info("signal.stop", "signal=%d", signal->signum);
	agent_drain(signal->data);
}

static void on_hangup(struct ev_loop *loop, ev_signal *signal, int revents)
{
	(void)loop;
	(void)revents;
	agent_reload(signal->data);
}

static void watch(struct ev_loop *loop, ev_signal *watcher, int number,
		  void (*fn)(struct ev_loop *, ev_signal *, int), struct agent *agent)
{
	ev_signal_init(watcher, fn, number);
	watcher->data = agent;
	ev_signal_start(loop, watcher);
}

static int run(struct config *config, const char *path)
{
	struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
	ev_signal term, interrupt, hangup;

	log_threshold = config->log.level;
	(void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* a core would hold peppers and keys */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file size limit shows as a failed write, which the audit log handles */
	struct agent *agent = agent_new(loop, config, path);
	if (agent == NULL)
		return EXIT_START;
	watch(loop, &term, SIGTERM, on_stop, agent);
	watch(loop, &interrupt, SIGINT, on_stop, agent);
	watch(loop, &hangup, SIGHUP, on_hangup, agent);
	ev_run(loop, 0);
	agent_free(&agent);
	log_info("ended", "%s", "");
	ev_loop_destroy(loop);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options options = {NULL, ACTION_RUN};
	struct config config;
	int status = EXIT_SUCCESS;

	parse_options(argc, argv, &options);
	if (!load(options.config_path, &config))
		return EXIT_CONFIG;
	switch (options.action) {
	case ACTION_CHECK:
		printf("%s is valid\n", options.config_path);
		break;
	case ACTION_DUMP:
		config_dump(&config, stdout);
		break;
	case ACTION_RUN:
		status = run(&config, options.config_path);
		break;
	}
	config_free(&config);
	return status;
}
