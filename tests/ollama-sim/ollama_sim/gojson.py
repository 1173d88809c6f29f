"""Reads request bodies as Go's encoding/json fills Ollama's structs, and writes JSON as Go prints it.

The decoder differs from Python's in what a gateway must know: keys match without regard to case, with
Unicode folding (U+017F is s, U+212A is k); the last duplicate wins, but null leaves a plain field alone
and objects merge into maps; whatever follows the first value is not looked at.
"""

import json
import re

FOLD = str.maketrans({"\u017f": "s", "\u212a": "k"})
SPACE = re.compile(r"[ \t\r\n]*")
DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
UNITS = {"ns": 1e-9, "us": 1e-6, "\u00b5s": 1e-6, "\u03bcs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
FOREVER = float("inf")
ESCAPES = ((b"&", b"\\u0026"), (b"<", b"\\u003c"), (b">", b"\\u003e"))
ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class DecodeError(Exception):
    """The body cannot be read; the text is what Go would say. `empty` marks a body without a value."""

    def __init__(self, text, empty=False):
        super().__init__(text)
        self.empty = empty


class Pairs(dict):
    """An object whose keys repeat or have unusual letters, so that their order matters."""

    __slots__ = ("pairs",)


def _object(pairs):
    plain = dict(pairs)
    if len(plain) == len(pairs):
        for key in plain:
            if not key.isascii() or key.lower() != key:
                break
        else:
            return plain
    odd = Pairs(plain)
    odd.pairs = pairs
    return odd


def _no_constant(name):
    raise ValueError(name)


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant)


def parse(body):
    """The first JSON value of the bytes."""
    if body.startswith(b"\xef\xbb\xbf"):
        raise DecodeError("invalid character '\u00ef' looking for beginning of value")
    text = body.decode("utf-8", "replace")
    start = SPACE.match(text).end()
    if start == len(text):
        raise DecodeError("EOF", empty=True)
    try:
        return DECODER.raw_decode(text, start)[0]
    except RecursionError:
        raise DecodeError("exceeded max depth") from None
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
            raise DecodeError("unexpected EOF") from None
        raise DecodeError(f"invalid character '{text[error.pos]}' looking for beginning of value") from None
    except ValueError:
        raise DecodeError("invalid character in literal") from None


def fold(key):
    return key.translate(FOLD).lower()


def kind_of(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, (int, float)):
        return "number"
    return "array" if isinstance(value, list) else "object"


# What each kind of field takes, its Go name in error texts, and whether null empties it.
KINDS = {
    "str": ("string", "string", False),
    "bool": ("bool", "bool", False),
    "bool?": ("bool", "bool", True),
    "int": ("number", "int", False),
    "int?": ("number", "int", True),
    "map": ("object", "map[string]interface {}", True),
    "struct": ("object", "struct", True),
    "list": ("array", "[]", True),
}


def bind(value, fields, where):
    """Fill a struct: fields maps the folded key to a kind of KINDS, "any", "keep_alive" or "think"."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise DecodeError(f"json: cannot unmarshal {kind_of(value)} into Go value of type api.{where}")
    pairs = value.pairs if isinstance(value, Pairs) else value.items()
    out = {}
    for key, item in pairs:
        key = key if key in fields else fold(key)
        kind = fields.get(key)
        if kind is not None:
            _store(out, key, kind, item, where)
    return out


def _store(out, key, kind, item, where):
    if kind == "any":
        out[key] = item
        return
    if kind == "keep_alive":
        out[key] = None if item is None else keep_alive(item)
        return
    if kind == "think":
        out[key] = think(item)
        return
    wanted, go_name, nullable = KINDS[kind]
    got = kind_of(item)
    if got == "null":
        if nullable:
            out[key] = None
        return
    if got != wanted or (go_name == "int" and isinstance(item, float)):
        what = f"number {item}" if got == wanted else got
        raise DecodeError(f"json: cannot unmarshal {what} into Go struct field {where}.{key} of type {go_name}")
    if wanted == "object" and isinstance(out.get(key), dict):
        out[key] = merge(out[key], item)
    else:
        out[key] = item


def merge(old, new):
    """Go decodes a second object into the same map: keys of both stay."""
    both = Pairs({**old, **new})
    both.pairs = [*(old.pairs if isinstance(old, Pairs) else old.items()),
                  *(new.pairs if isinstance(new, Pairs) else new.items())]
    return both


def keep_alive(value):
    """Seconds as a float; negative means for ever. Numbers are seconds, strings Go durations."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return FOREVER if value < 0 else float(value)
    if not isinstance(value, str):
        raise DecodeError(f"Unsupported type: '{kind_of(value)}'")
    sign, text = (value[0], value[1:]) if value[:1] in ("-", "+") else ("+", value)
    if text == "0":
        return 0.0
    total, position = 0.0, 0
    while match := DURATION.match(text, position):
        total += float(match[1]) * UNITS[match[2]]
        position = match.end()
    if not text or position != len(text):
        raise DecodeError(f"time: invalid duration {json.dumps(value)}")
    return FOREVER if sign == "-" and total else total


def think(value):
    if value is None or isinstance(value, bool) or value in ("low", "medium", "high", "max"):
        return value
    raise DecodeError(f"invalid think value: {json.dumps(value)} "
                      '(must be "high", "medium", "low", "max", true, or false)')


def dump(value):
    """JSON bytes with Go's HTML escapes."""
    data = ENCODER.encode(value).encode("utf-8", "replace")
    for plain, escaped in ESCAPES:
        if plain in data:
            data = data.replace(plain, escaped)
    return data
