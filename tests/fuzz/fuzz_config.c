/* Any bytes as a configuration file: an error or a config whose dump reads back as itself. */
#include <stdlib.h>

#include "daemon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *dump(const struct config *config, size_t *ret_len)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, ret_len);

	config_dump(config, to);
	(void)fclose(to);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config_errors errors;
	struct config first;
	struct config second;
	size_t first_len;
	size_t second_len;

	if (!config_parse((struct slice){(const char *)data, size}, "fuzz", &first, &errors)) {
		if (errors.count == 0)
			abort();
		return 0;
	}
	char *text = dump(&first, &first_len);
	/* A dump may be too long a line for the INI library where the file, spread over less space, was not.
	 */
	if (config_parse((struct slice){text, first_len}, "dump", &second, &errors)) {
		char *again = dump(&second, &second_len);
		if (first_len != second_len || memcmp(text, again, first_len) != 0)
			abort();
		free(again);
		config_free(&second);
	}
	free(text);
	config_free(&first);
	return 0;
}
