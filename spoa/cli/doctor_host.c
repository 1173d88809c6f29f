/* Checks of files on this host: the configuration, sockets, the pepper. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/pepper.h"
#include "cli/doctor.h"
#include "cli/haproxy.h"

void doctor_check_config(struct doctor *doctor)
{
	const char *path = cli_value(doctor->cli, "config");
	struct config_errors errors = {.count = 0};

	if (path == NULL) {
		doctor_say(doctor, FINDING_SKIP, "config", "add --config /etc/tollgate/tollgated.conf",
			   "tollgated's configuration was not named");
		return;
	}
	doctor->configured = config_load(path, &doctor->config, &errors);
	if (doctor->configured) {
		doctor_say(doctor, FINDING_OK, "config", NULL, "%s is valid", path);
		return;
	}
	for (unsigned i = 0; i < errors.count && i < CONFIG_ERRORS_MAX; i++)
		doctor_say(doctor, FINDING_FAIL, "config",
			   "`tollgated --dump-config` prints every setting with its help", "%s",
			   errors.text[i]);
}

/* Whoever may write to a socket may use it. */
static void check_socket(struct doctor *doctor, const char *path, const char *whose, const char *advice)
{
	struct stat st;

	if (stat(path, &st) != 0)
		doctor_say(doctor, errno == EACCES ? FINDING_SKIP : FINDING_FAIL, "socket", advice,
			   "%s of %s: %s", path, whose, strerror(errno));
	else if (!S_ISSOCK(st.st_mode))
		doctor_say(doctor, FINDING_FAIL, "socket", advice, "%s of %s is no socket", path, whose);
	else if ((st.st_mode & S_IWOTH) != 0)
		doctor_say(doctor, FINDING_FAIL, "socket",
			   "take the rights from others: mode 660 and a group of its own",
			   "%s of %s can be used by everybody on this host (mode %03o)", path, whose,
			   (unsigned)st.st_mode & 0777u);
	else
		doctor_say(doctor, FINDING_OK, "socket", NULL, "%s of %s, mode %03o", path, whose,
			   (unsigned)st.st_mode & 0777u);
}

static void check_pepper(struct doctor *doctor)
{
	const char *path = cli_value(doctor->cli, "pepper");
	char reason[512];
	struct strbuf err = strbuf_over(reason, sizeof(reason));

	if (path == NULL && doctor->configured)
		path = doctor->config.auth.pepper_file;
	if (path == NULL)
		path = getenv("TOLLGATE_PEPPER_FILE");
	if (path == NULL || path[0] == '\0') {
		doctor_say(doctor, FINDING_SKIP, "pepper", "add --pepper FILE or --config FILE",
			   "the pepper file was not named");
		return;
	}
	if (access(path, R_OK) != 0 && errno == EACCES) {
		doctor_say(doctor, FINDING_SKIP, "pepper", "run this as tollgated's user to check it",
			   "%s cannot be read by this user", path);
		return;
	}
	struct peppers *peppers = peppers_load(path, &err);
	if (peppers != NULL)
		doctor_say(doctor, FINDING_OK, "pepper", NULL, "%s is private and valid, version %u signs",
			   path, pepper_version(peppers_current(peppers)));
	else
		doctor_say(doctor, FINDING_FAIL, "pepper",
			   "chmod 600 and tollgated's user as its owner; without it no key is accepted", "%s",
			   reason);
	peppers_free(&peppers);
}

void doctor_check_files(struct doctor *doctor)
{
	static const struct slice unix_prefix = {"unix:", 5};

	check_socket(doctor, haproxy_socket(doctor->cli), "HAProxy (admin)",
		     "start HAProxy, or name its socket with --haproxy-socket");
	for (unsigned i = 0; doctor->configured && i < doctor->config.spop.listen.count; i++) {
		const char *listen = doctor->config.spop.listen.item[i];
		if (slice_starts(slice_of(listen), unix_prefix))
			check_socket(doctor, listen + unix_prefix.n, "tollgated (SPOP)",
				     "start tollgated; HAProxy answers 503 without it");
	}
	check_pepper(doctor);
}
