/* The table of settings, and how a setting of each kind is read, compared and printed. */
#ifndef TOLLGATE_DAEMON_SETTINGS_H
#define TOLLGATE_DAEMON_SETTINGS_H

#include "base/strbuf.h"
#include "daemon/config.h"

enum setting_kind {                    /* type of the member in struct config */
		    SETTING_TEXT,      /* char * */
		    SETTING_PATH,      /* char *, absolute */
		    SETTING_ADDRESS,   /* char *, unix:/path or loopback host:port */
		    SETTING_UDP,       /* char *, loopback host:port */
		    SETTING_REDIS_URL, /* char * */
		    SETTING_ADDRESSES, /* struct config_list of addresses */
		    SETTING_COUNT,     /* unsigned */
		    SETTING_MODE,      /* unsigned, octal permissions */
		    SETTING_SIZE,      /* size_t, bytes */
		    SETTING_DURATION,  /* int64_t, microseconds */
		    SETTING_CHOICE,    /* an enum; `choices` names its values from 0 on */
};

struct setting {
	const char *section;
	const char *name;
	enum setting_kind kind;
	size_t offset;       /* in struct config */
	const char *initial; /* default, as it would be written; NULL: must be given */
	const char *help;
	int64_t min; /* of numbers, in the member's unit */
	int64_t max;
	const char *const *choices; /* ends with NULL */
	bool reload;                /* may change while running */
};

extern const struct setting settings[];
extern const unsigned settings_count;

/* The member of `config`, which must be empty for strings and lists. False when the text is no value for
 * it; memory running short counts as that. */
bool setting_parse(const struct setting *s, struct slice text, struct config *config)
	__attribute__((warn_unused_result));

/* As it would be written, credentials masked. */
void setting_print(const struct setting *s, const struct config *config, struct strbuf *sb);

/* What setting_parse() wants, for messages: "a duration from 1ms to 10s". */
void setting_expect(const struct setting *s, struct strbuf *sb);

bool setting_equal(const struct setting *s, const struct config *a, const struct config *b);
void setting_swap(const struct setting *s, struct config *a, struct config *b);
void setting_clear(const struct setting *s, struct config *config);

#endif
