/* Loading, printing and reloading the configuration. */
#include "daemon/config.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/settings.h"
#include "store/url.h"

enum { FILE_MAX = 256 * 1024, PASSWORD_MAX = 255, GIVEN_MAX = 64 };

struct loader {
	const char *name;
	struct slice rest; /* text not yet handed to inih */
	unsigned line;
	struct config *config;
	struct config_errors *errors;
	unsigned given[GIVEN_MAX]; /* line of each setting that was given, 0: not */
};

static void complain(struct loader *l, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void complain(struct loader *l, unsigned line, const char *fmt, ...)
{
	unsigned i = l->errors->count++;
	char what[192];
	va_list ap;

	if (i >= CONFIG_ERRORS_MAX)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (line > 0)
		(void)snprintf(l->errors->text[i], CONFIG_ERROR_MAX, "%.256s:%u: %s", l->name, line, what);
	else
		(void)snprintf(l->errors->text[i], CONFIG_ERROR_MAX, "%.256s: %s", l->name, what);
}

/* For inih, which knows no line numbers, cuts lines that are too long for it and takes indented ones for
 * continuations: a line that is not as it should be is reported here and shown to it as an empty one. */
static bool line_ok(struct loader *l, struct slice line, size_t max)
{
	struct slice trimmed = slice_trim(line);

	if (memchr(line.p, '\0', line.n) != NULL) {
		complain(l, l->line, "the line holds a NUL byte");
	} else if (line.n > max) {
		complain(l, l->line, "the line is longer than %zu bytes", max);
	} else if (trimmed.n > 0 && trimmed.p != line.p && trimmed.p[0] != '#' && trimmed.p[0] != ';') {
		complain(l, l->line, "the line must not start with a space");
	} else {
		return true;
	}
	return false;
}

static char *read_line(char *buf, int cap, void *stream)
{
	struct loader *l = stream;
	struct slice line;

	if (l->rest.n == 0)
		return NULL;
	if (!slice_next(&l->rest, '\n', &line))
		return NULL;
	l->line++;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0 || !line_ok(l, line, (size_t)cap - 3))
		line = (struct slice){"", 0};
	memcpy(buf, line.p, line.n);
	memcpy(buf + line.n, "\n", 2);
	return buf;
}

static bool section_known(const char *section)
{
	for (unsigned i = 0; i < settings_count; i++)
		if (strcmp(settings[i].section, section) == 0)
			return true;
	return false;
}

static const struct setting *find_setting(struct loader *l, const char *section, const char *name)
{
	for (unsigned i = 0; i < settings_count; i++)
		if (strcmp(settings[i].section, section) == 0 && strcmp(settings[i].name, name) == 0)
			return &settings[i];
	if (section[0] == '\0')
		complain(l, l->line, "a setting must stand in a [section]");
	else if (!section_known(section))
		complain(l, l->line, "there is no section of this name");
	else
		complain(l, l->line, "[%s] has no setting of this name", section);
	return NULL;
}

static void set(struct loader *l, const struct setting *s, struct slice text, unsigned line)
{
	char expected[160];
	struct strbuf sb = strbuf_over(expected, sizeof(expected));

	if (setting_parse(s, text, l->config))
		return;
	setting_clear(s, l->config);
	setting_expect(s, &sb);
	complain(l, line, "[%s] %s: %s", s->section, s->name, expected);
}

static int on_setting(void *user, const char *section, const char *name, const char *value)
{
	struct loader *l = user;
	const struct setting *s = find_setting(l, section, name);

	if (s == NULL)
		return 1;
	unsigned *given = &l->given[s - settings];
	if (*given > 0) {
		complain(l, l->line, "[%s] %s was given in line %u already", section, name, *given);
		return 1;
	}
	*given = l->line;
	set(l, s, slice_of(value), l->line);
	return 1;
}

static void set_defaults(struct loader *l)
{
	for (unsigned i = 0; i < settings_count; i++) {
		const struct setting *s = &settings[i];
		if (l->given[i] > 0)
			continue;
		if (s->initial != NULL)
			set(l, s, slice_of(s->initial), 0);
		else
			complain(l, 0, "[%s] %s must be given", s->section, s->name);
	}
}

/* What no setting can check by itself. */
static void check_together(struct loader *l)
{
	const struct config *c = l->config;
	struct store_url url;

	if (c->redis.reconnect_min > c->redis.reconnect_max)
		complain(l, 0, "[redis] reconnect_min is more than reconnect_max");
	if (c->redis.stall < c->redis.deadline)
		complain(l, 0, "[redis] stall is less than deadline");
	if (c->redis.url != NULL && c->redis.password_file != NULL && c->redis.password_file[0] != '\0' &&
	    store_url_parse(slice_of(c->redis.url), &url) == NULL) {
		if (url.password[0] != '\0')
			complain(l, 0, "[redis] has a password in url and a password_file");
		store_url_wipe(&url);
	}
}

bool config_parse(struct slice text, const char *name, struct config *ret, struct config_errors *errors)
{
	_Static_assert(sizeof(enum audit_on_failure) == sizeof(int) && sizeof(enum log_level) == sizeof(int),
		       "settings.c writes choices as int");
	struct config config = {0};
	struct loader l = {.name = name, .rest = text, .config = &config, .errors = errors};

	errors->count = 0;
	if (settings_count > GIVEN_MAX || text.n > FILE_MAX) {
		complain(&l, 0, "the file is too large");
		return false;
	}
	int bad_line = ini_parse_stream(read_line, &l, on_setting, &l);
	if (bad_line > 0)
		complain(&l, (unsigned)bad_line, "expected [section], name = value or a comment");
	else if (bad_line < 0)
		complain(&l, 0, "the file could not be parsed");
	set_defaults(&l);
	check_together(&l);
	if (errors->count > 0) {
		config_free(&config);
		return false;
	}
	*ret = config;
	return true;
}

/* At most `cap` bytes of a regular file. Sets errno. */
static bool read_file(const char *path, char *buf, size_t cap, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t len = 0;
	ssize_t n = 0;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		errno = EINVAL;
		return false;
	}
	while (len < cap && (n = read(fd, buf + len, cap - len)) > 0)
		len += (size_t)n;
	int saved = errno;
	(void)close(fd);
	errno = saved;
	*ret_len = len;
	return n >= 0;
}

bool config_load(const char *path, struct config *ret, struct config_errors *errors)
{
	struct loader l = {.name = path, .errors = errors};
	char *text = malloc(FILE_MAX + 1);
	size_t len;
	bool ok = false;

	errors->count = 0;
	if (text == NULL || !read_file(path, text, FILE_MAX + 1, &len))
		complain(&l, 0, "%s", strerror(errno));
	else
		ok = config_parse((struct slice){text, len}, path, ret, errors);
	free(text);
	return ok;
}

void config_free(struct config *config)
{
	for (unsigned i = 0; i < settings_count; i++)
		setting_clear(&settings[i], config);
}

void config_dump(const struct config *config, FILE *to)
{
	const char *section = "";

	for (unsigned i = 0; i < settings_count; i++) {
		const struct setting *s = &settings[i];
		char text[4096];
		struct strbuf sb = strbuf_over(text, sizeof(text));
		if (strcmp(section, s->section) != 0)
			(void)fprintf(to, "%s[%s]\n", i > 0 ? "\n" : "", s->section);
		section = s->section;
		(void)fprintf(to, "# %s\n", s->help);
		(void)fprintf(to, "# %s%s%s\n", s->initial == NULL ? "Must be given." : "Default: ",
			      s->initial == NULL ? "" : (s->initial[0] != '\0' ? s->initial : "empty"),
			      s->reload ? "; a reload may change it." : "");
		setting_print(s, config, &sb);
		(void)fprintf(to, "%s =%s%s\n", s->name, sb.len > 0 ? " " : "", text);
	}
}

void config_reload(struct config *running, struct config *fresh, config_change_fn *on_change, void *ctx)
{
	for (unsigned i = 0; i < settings_count; i++) {
		const struct setting *s = &settings[i];
		if (setting_equal(s, running, fresh))
			continue;
		if (s->reload)
			setting_swap(s, running, fresh);
		on_change(ctx, s->section, s->name, s->reload);
	}
}

static void put_percent(struct strbuf *sb, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		strbuf_printf(sb, "%%%02X", (unsigned)(unsigned char)s.p[i]);
}

/* The URL is well-formed and has no password, config_parse() saw to that. */
static void put_with_password(struct strbuf *sb, struct slice url, struct slice password)
{
	const char *host = (const char *)memmem(url.p, url.n, "//", 2) + 2;
	const char *at = memchr(host, '@', (size_t)(url.p + url.n - host));
	const char *tail = at == NULL ? host : at + 1;
	size_t user = at == NULL ? 0 : (size_t)(at - host);

	if (user > 0 && at[-1] == ':')
		user--;
	strbuf_put(sb, (struct slice){url.p, (size_t)(host - url.p) + user});
	strbuf_putc(sb, ':');
	put_percent(sb, password);
	strbuf_putc(sb, '@');
	strbuf_put(sb, (struct slice){tail, (size_t)(url.p + url.n - tail)});
}

const char *config_redis_url(const struct config *config, struct strbuf *ret)
{
	char buf[PASSWORD_MAX + 3];
	struct slice url = slice_of(config->redis.url);
	size_t len;

	if (config->redis.password_file[0] == '\0') {
		strbuf_put(ret, url);
		return ret->overflow ? "the URL is too long" : NULL;
	}
	if (!read_file(config->redis.password_file, buf, sizeof(buf), &len))
		return "the password file cannot be read";
	while (len > 0 && (buf[len - 1] == '\n' || buf[len - 1] == '\r'))
		len--;
	bool ok = len > 0 && len <= PASSWORD_MAX && memchr(buf, '\n', len) == NULL &&
		  memchr(buf, '\0', len) == NULL;
	if (ok)
		put_with_password(ret, url, (struct slice){buf, len});
	explicit_bzero(buf, sizeof(buf));
	if (!ok)
		return "the password file must hold one line of at most 255 bytes";
	return ret->overflow ? "the URL is too long" : NULL;
}
