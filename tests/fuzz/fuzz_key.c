/* Credentials as strangers present them, and records and networks as Redis may hold them. The first byte
 * chooses the parser; what is accepted must survive being written and read again. */
#include <stdlib.h>

#include "auth/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void fuzz_credential(struct slice in)
{
	struct slice given[3] = {{NULL, 0}}, found;
	struct key key;

	for (size_t i = 0; i < 3 && slice_next(&in, '\n', &given[i]); i++)
		;
	if (credential_find(given[0], given[1], given[2], &found) != CREDENTIAL_OK ||
	    key_parse(found, &key) != KEY_OK)
		return;
	char id[KEY_ID_LEN + 1], secret[KEY_SECRET_LEN + 1], text[KEY_TEXT_LEN + 1];
	must(slice_copy(key.id, id, sizeof(id)) && slice_copy(key.secret, secret, sizeof(secret)));
	key_format(id, secret, text);
	must(slice_is(found, text));
}

/* Lines "name=value". */
static void fuzz_record(struct slice in)
{
	struct record_field fields[32], out[RECORD_KEY_FIELDS];
	char text[RECORD_TEXT_MAX], reason[256];
	struct strbuf sb = strbuf_over(text, sizeof(text)), err = strbuf_over(reason, sizeof(reason));
	struct key_record rec, again;
	struct slice line;
	size_t n = 0;

	for (; n < 32 && slice_next(&in, '\n', &line); n++) {
		fields[n].value = line;
		if (!slice_next(&fields[n].value, '=', &fields[n].name))
			return;
	}
	if (!record_key_parse(SLICE_LIT("0123456789AB"), fields, n, &rec, &err))
		return;
	record_key_emit(&rec, out, &sb);
	must(!sb.overflow &&
	     record_key_parse(SLICE_LIT("0123456789AB"), out, RECORD_KEY_FIELDS, &again, NULL));
	must(memcmp(&rec, &again, sizeof(rec)) == 0);
}

static void fuzz_network(struct slice in)
{
	char text[NETWORK_TEXT_MAX];
	struct strbuf sb = strbuf_over(text, sizeof(text));
	struct network net, again;

	if (!network_parse(in, &net))
		return;
	network_put(&sb, &net);
	must(!sb.overflow && network_parse(strbuf_slice(&sb), &again) &&
	     memcmp(&net, &again, sizeof(net)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char reason[256];
	struct strbuf err = strbuf_over(reason, sizeof(reason));

	if (size == 0)
		return 0;
	struct slice in = {(const char *)data + 1, size - 1};
	switch (data[0] % 4) {
	case 0:
		fuzz_credential(in);
		break;
	case 1:
		fuzz_record(in);
		break;
	case 2:
		fuzz_network(in);
		break;
	default: {
		struct peppers *peppers = peppers_parse(in, &err);
		peppers_free(&peppers);
	}
	}
	return 0;
}
