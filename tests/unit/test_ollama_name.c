/* Model names: one model, one name. */
#include <criterion/criterion.h>

#include "base/strbuf.h"
#include "ollama/name.h"

#define A16 "aaaaaaaaaaaaaaaa"
#define A80 A16 A16 A16 A16 A16

Test(ollama_name, invalid)
{
	static const char *const names[] = {
		"",
		" ",
		":",
		":latest",
		"llama3:",
		"/llama3",
		"ns/",
		"a//b",
		"a/b/c/d",
		"a/skill/b/c",
		"llama 3",
		"llama3:8b q4",
		"-llama3",
		".hidden",
		"..",
		"a/..",
		"../a",
		"llama3:.x",
		"a:b:c",
		"llama3@sha256",
		"ns.dot/llama3",
		"llama3\\x",
		"lläma3",
		"llama3:lät",
		"\xE2\x84\xAA"
		"imi",
		"llama3?",
		"llama3*",
		"llama3,x",
		"llama3 :local",
		"llama3:local:local",
		"llama3:cloud:local",
		"llama3:cloud:cloud",
		"llama3:8b-cloud:local",
		"x:cloud-cloud",
		"x:-cloud",
		":cloud",
		"-cloud:cloud",
		"a b:cloud",
		"ftp://host/ns/m",
		"http:/host/ns/m",
		"http://ns/m",
		"://host/ns/m",
		"http://http://h/n/m",
		A80 "a",
		A80 "a/m",
		"m:" A80 "a",
		"m:" A80 "-cloud",
	};
	struct model_name n;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cr_expect_not(name_parse(slice_of(names[i]), &n), "%s", names[i]);
	cr_expect_not(name_parse((struct slice){"llama3\0x", 8}, &n));
	cr_expect_not(name_parse((struct slice){NULL, 0}, &n));
	cr_expect_not(name_parse((struct slice){"\xFF", 1}, &n));
}

Test(ollama_name, canonical)
{
	static const struct {
		const char *raw;
		const char *text;
		bool cloud, local, registry;
	} cases[] = {
		{"llama3", "llama3:latest", false, false, false},
		{"LLAMA3", "llama3:latest", false, false, false},
		{"llama3:latest", "llama3:latest", false, false, false},
		{"Llama3:LATEST", "llama3:latest", false, false, false},
		{"library/llama3", "llama3:latest", false, false, false},
		{"LIBRARY/llama3:8b", "llama3:8b", false, false, false},
		{"registry.ollama.ai/library/llama3:latest", "llama3:latest", false, false, false},
		{"Registry.Ollama.AI/Library/Llama3", "llama3:latest", false, false, false},
		{"https://registry.ollama.ai/library/llama3", "llama3:latest", false, false, false},
		{"registry.ollama.ai/me/llama3", "me/llama3:latest", false, false, false},
		{" llama3\t\n", "llama3:latest", false, false, false},
		{"\xC2\xA0llama3\xE3\x80\x80\xC2\x85", "llama3:latest", false, false, false},
		{"llama3:local", "llama3:latest", false, true, false},
		{"llama3:latest:local", "llama3:latest", false, true, false},
		{"llama3:8b:LOCAL", "llama3:8b", false, true, false},
		{"llama3: local", "llama3:latest", false, true, false},
		{"me/x", "me/x:latest", false, false, false},
		{"me/x:Q4_K_M", "me/x:q4_k_m", false, false, false},
		{"hf.co/bartowski/Some-GGUF:Q4", "hf.co/bartowski/some-gguf:q4", false, false, true},
		{"http://10.0.0.1:5000/ns/m", "10.0.0.1:5000/ns/m:latest", false, false, true},
		{"host/library/x", "host/library/x:latest", false, false, true},
		{"localhost:11434/library/x:y", "localhost:11434/library/x:y", false, false, true},
		{"registry.ollama.ai:443/library/x", "registry.ollama.ai:443/library/x:latest", false, false,
		 true},
		{"gpt-oss:cloud", "gpt-oss:cloud", true, false, false},
		{"gpt-oss:CLOUD", "gpt-oss:cloud", true, false, false},
		{"gpt-oss: cloud", "gpt-oss:cloud", true, false, false},
		{"gpt-oss:20b-cloud", "gpt-oss:20b-cloud", true, false, false},
		{"gpt-oss:20b:cloud", "gpt-oss:20b-cloud", true, false, false},
		{"gpt-oss:20b-Cloud", "gpt-oss:20b-cloud", true, false, false},
		{"me/gpt-oss:cloud", "me/gpt-oss:cloud", true, false, false},
		{"my-cloud", "my-cloud:latest", false, false, false},
		{"cloud", "cloud:latest", false, false, false},
		{"x:clouds", "x:clouds", false, false, false},
		{"_x", "_x:latest", false, false, false},
		{A80, A80 ":latest", false, false, false},
	};
	struct model_name n;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert(name_parse(slice_of(cases[i].raw), &n), "%s", cases[i].raw);
		cr_expect_str_eq(n.text, cases[i].text);
		cr_expect_eq(n.len, strlen(cases[i].text));
		cr_expect_eq(n.cloud, cases[i].cloud, "%s", cases[i].raw);
		cr_expect_eq(n.local, cases[i].local, "%s", cases[i].raw);
		cr_expect_eq(n.registry, cases[i].registry, "%s", cases[i].raw);
	}
}

Test(ollama_name, longest)
{
	char raw[NAME_MAX_LEN + 2];
	struct strbuf sb = strbuf_over(raw, sizeof(raw));
	struct model_name n;

	for (int i = 0; i < 350; i++)
		strbuf_putc(&sb, 'h');
	strbuf_puts(&sb, "/" A80 "/" A80 ":" A80);
	cr_assert_eq(sb.len, NAME_MAX_LEN);
	cr_assert(name_parse(strbuf_slice(&sb), &n));
	cr_expect_eq(n.len, NAME_MAX_LEN);
	cr_expect(slice_eq(name_slice(&n), strbuf_slice(&sb)));
}

Test(ollama_name, patterns)
{
	static const struct {
		const char *pattern;
		const char *canonical;
		bool matches;
	} cases[] = {
		{"", "llama3:latest", false},
		{"llama3", "llama3:8b", false},
		{"llama3", "me/llama3:latest", false},
		{"llama3", "hf.co/library/llama3:latest", false},
		{"llama3:*", "me/llama3:8b", false},
		{"llama3:*", "llama3.1:8b", false},
		{"myns/*", "llama3:latest", false},
		{"myns/*", "myns2/x:latest", false},
		{"?", "ab", false},
		{"*x", "llama3:latest", false},
		{"a*b*c", "a1b2", false},
		{"llama?:8b", "llama:8b", false},
		{"not a name", "llama3:latest", false},
		{"llama3", "llama3:latest", true},
		{"LLAMA3", "llama3:latest", true},
		{"library/llama3", "llama3:latest", true},
		{"registry.ollama.ai/library/llama3:latest", "llama3:latest", true},
		{"llama3:8b", "llama3:8b", true},
		{"llama3:*", "llama3:8b", true},
		{"Llama3:*", "llama3:latest", true},
		{"llama*", "llama3.1:8b", true},
		{"*", "llama3:latest", true},
		{"*", "hf.co/a/b:c", true},
		{"**", "x:y", true},
		{"myns/*", "myns/x:latest", true},
		{"hf.co/*", "hf.co/a/b:c", true},
		{"*:8b", "llama3:8b", true},
		{"*-instruct*", "x:7b-instruct-q4", true},
		{"llama?:8b", "llama3:8b", true},
		{"a*b*c", "a1b2b3c", true},
		{"gpt-oss:20b:cloud", "gpt-oss:20b-cloud", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(name_matches(slice_of(cases[i].pattern), slice_of(cases[i].canonical)),
			     cases[i].matches, "%s on %s", cases[i].pattern, cases[i].canonical);
}

Test(ollama_name, pattern_validity)
{
	static const char *const bad[] = {
		"", " ", "a b", "a,b*", "ä*", "library/*", "Registry.ollama.ai/x/*", "a:b:c"};
	static const char *const good[] = {"*",      "llama3",      "llama3:*",
					   "myns/*", "hf.co/*/x:?", "library/llama3"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(name_pattern_valid(slice_of(bad[i])), "%s", bad[i]);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect(name_pattern_valid(slice_of(good[i])), "%s", good[i]);
}

Test(ollama_name, lists)
{
	struct slice llama = SLICE_LIT("llama3:latest");

	cr_expect(name_list_matches(SLICE_LIT(""), llama));
	cr_expect(name_list_matches((struct slice){NULL, 0}, llama));
	cr_expect(name_list_matches(SLICE_LIT("qwen*, llama3 ,x"), llama));
	cr_expect_not(name_list_matches(SLICE_LIT("qwen*,llama3:8b"), llama));
	cr_expect_not(name_list_matches(SLICE_LIT(","), llama), "an empty part must not open the list");
}

/* Exponential for a matcher that backtracks to every star. */
Test(ollama_name, hostile_pattern_is_quick, .timeout = 2)
{
	char pattern[200];
	char text[500];

	for (size_t i = 0; i < sizeof(pattern); i += 2) {
		pattern[i] = '*';
		pattern[i + 1] = 'a';
	}
	pattern[sizeof(pattern) - 1] = 'b';
	memset(text, 'a', sizeof(text));
	for (int i = 0; i < 1000; i++)
		cr_assert_not(name_matches((struct slice){pattern, sizeof(pattern)},
					   (struct slice){text, sizeof(text)}));
}
