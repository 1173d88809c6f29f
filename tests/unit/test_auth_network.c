/* Addresses and networks: malformed ones first. */
#include <criterion/criterion.h>

#include "auth/network.h"

Test(auth_network, malformed_addresses)
{
	static const char *const rows[] = {
		"",
		" ",
		"1.2.3",
		"1.2.3.4.5",
		"256.1.1.1",
		"1.2.3.04",
		"01.2.3.4",
		"1.2.3.4 ",
		" 1.2.3.4",
		"1.2.3.4:80",
		"1.2.3.4/32",
		"localhost",
		":",
		":::",
		"1::2::3",
		"::g",
		"fe80::1%eth0",
		"[::1]",
		"::ffff:1.2.3",
		"1:2:3:4:5:6:7:8:9",
		"0x7f.0.0.1",
		"2130706433",
		"::1/128",
		"aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct netaddr a = {.bytes = {42}};
		cr_assert_not(netaddr_parse(slice_of(rows[i]), &a), "%s", rows[i]);
		cr_assert_eq(a.bytes[0], 42, "untouched");
	}
	struct netaddr a;
	cr_assert_not(netaddr_parse((struct slice){"1.2.3.4\0", 8}, &a));
	cr_assert_not(netaddr_parse((struct slice){NULL, 0}, &a));
	cr_assert_not(netaddr_from_bytes("12345", 5, &a));
	cr_assert_not(netaddr_from_bytes("", 0, &a));
}

Test(auth_network, malformed_networks)
{
	static const char *const rows[] = {
		"",
		"/",
		"/8",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0.0/+8",
		"10.0.0.0/08",
		"10.0.0.0/8/8",
		"10.0.0.0/255.0.0.0",
		"10.0.0.0/8 ",
		"10.0.0.1/8",
		"10.0.0.1/31",
		"2001:db8::/129",
		"2001:db8::1/64",
		"::1/0",
		"10/8",
		"::ffff:10.0.0.0/8",
		"::ffff:0:0/95",
		"::ffff:10.0.0.1/104",
		"10.0.0.0/99999999999",
		"10.0.0.0/1000",
		"0.0.0.1/0",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct network net = {.bits = 42};
		cr_assert_not(network_parse(slice_of(rows[i]), &net), "%s", rows[i]);
		cr_assert_eq(net.bits, 42, "untouched");
	}
	struct network net;
	cr_assert_not(network_parse((struct slice){NULL, 0}, &net));
}

Test(auth_network, membership)
{
	static const struct {
		const char *net, *addr;
		bool in;
	} rows[] = {
		{"10.0.0.0/8", "11.0.0.0", false},
		{"10.0.0.0/8", "9.255.255.255", false},
		{"10.0.0.0/8", "::10.0.0.1", false},
		{"10.0.0.0/8", "64:ff9b::10.0.0.1", false},
		{"10.0.0.1", "10.0.0.2", false},
		{"10.0.0.2/31", "10.0.0.1", false},
		{"10.0.0.2/31", "10.0.0.4", false},
		{"::/0", "10.0.0.1", false},
		{"::/0", "::ffff:10.0.0.1", false},
		{"0.0.0.0/0", "::1", false},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"2001:db8::/33", "2001:db8:8000::", false},
		{"2001:db8::/127", "2001:db8::2", false},
		{"::1", "::2", false},
		{"10.0.0.0/8", "10.0.0.0", true},
		{"10.0.0.0/8", "10.255.255.255", true},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"::ffff:10.0.0.0/104", "10.1.2.3", true},
		{"10.0.0.1", "10.0.0.1", true},
		{"10.0.0.1/32", "10.0.0.1", true},
		{"10.0.0.2/31", "10.0.0.3", true},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"::ffff:0:0/96", "1.2.3.4", true},
		{"::/0", "2001:db8::1", true},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:DB8::1", "2001:db8:0:0:0:0:0:1", true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct network net;
		struct netaddr addr;
		cr_assert(network_parse(slice_of(rows[i].net), &net), "%s", rows[i].net);
		cr_assert(netaddr_parse(slice_of(rows[i].addr), &addr), "%s", rows[i].addr);
		cr_assert_eq(network_contains(&net, &addr), rows[i].in, "%s in %s", rows[i].addr,
			     rows[i].net);
	}
}

Test(auth_network, binary_addresses_are_the_same)
{
	static const uint8_t v4[4] = {10, 1, 2, 3};
	static const uint8_t mapped[16] = {[10] = 0xFF, [11] = 0xFF, [12] = 10, [13] = 1, [14] = 2, [15] = 3};
	struct netaddr text, a, b;

	cr_assert(netaddr_parse(SLICE_LIT("10.1.2.3"), &text));
	cr_assert(netaddr_from_bytes(v4, sizeof(v4), &a) && netaddr_from_bytes(mapped, sizeof(mapped), &b));
	cr_assert_eq(memcmp(&a, &text, sizeof(a)), 0);
	cr_assert_eq(memcmp(&b, &text, sizeof(b)), 0);
	cr_assert(netaddr_is_v4(&a));
}

Test(auth_network, canonical_text)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"10.0.0.1", "10.0.0.1/32"},
		{"::ffff:10.0.0.0/104", "10.0.0.0/8"},
		{"2001:DB8:0::/32", "2001:db8::/32"},
		{"::1", "::1/128"},
		{"::/0", "::/0"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"1111:2222:3333:4444:5555:6666:7777:8888", "1111:2222:3333:4444:5555:6666:7777:8888/128"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[NETWORK_TEXT_MAX];
		struct strbuf sb = strbuf_over(text, sizeof(text));
		struct network net, again;
		cr_assert(network_parse(slice_of(rows[i].in), &net));
		network_put(&sb, &net);
		cr_assert_str_eq(text, rows[i].out);
		cr_assert(network_parse(slice_of(text), &again));
		cr_assert_eq(memcmp(&net, &again, sizeof(net)), 0);
	}
}
