/* How findings are told. */
#include "cli/doctor.h"

#include <stdarg.h>

static const char *const names[] = {
	[FINDING_OK] = "ok", [FINDING_SKIP] = "skip", [FINDING_WARN] = "warn", [FINDING_FAIL] = "fail"};

void doctor_say(struct doctor *doctor, enum finding finding, const char *check, const char *advice,
		const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* nodes and files had their say in this: nothing of it may steer a terminal */
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7F)
			*c = '?';
	if (finding > doctor->worst)
		doctor->worst = finding;
	if (doctor->checks != NULL) {
		(void)json_array_append_new(doctor->checks,
					    json_pack("{ss ss ss ss?}", "check", check, "result",
						      names[finding], "text", text, "advice", advice));
		return;
	}
	(void)printf("%-5s %-8s %s\n", names[finding], check, text);
	if (advice != NULL)
		(void)printf("%15s> %s\n", "", advice);
	(void)fflush(stdout);
}
