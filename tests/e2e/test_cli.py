"""The tollgate command line against a real redis-server: every command, its exit status and its JSON.

TOLLGATE_BIN names the folder of the binary. Nothing but redis-server is needed."""

import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import pty
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import pytest

TOLLGATE = os.path.join(os.environ["TOLLGATE_BIN"], "tollgate")  # without it nothing here can be said to work

FAILED, USAGE, NOT_FOUND, CONFLICT = 1, 2, 3, 4
PEPPERS = {1: bytes(range(32)), 2: bytes(range(100, 140))}
COMMANDS = [
    ("tenant", verb) for verb in "create list show set suspend resume delete".split()
] + [("key", verb) for verb in "create list show set rotate suspend resume revoke delete".split()]

# What the documentation grants the command line's user.
ACL = (
    "reset on >cli-secret ~tg:key:* ~tg:tenant:* "
    "+hgetall +hget +hset +exists +del +scan +watch +multi +exec"
)


class Redis:
    def __init__(self, folder):
        self.sock = str(folder / "r.sock")
        self.folder = folder
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.sock, "--dir", str(folder), "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        for _ in range(200):
            if os.path.exists(self.sock) and self("PING") == "PONG":
                return
            time.sleep(0.05)
        raise AssertionError("redis-server did not start")

    def __call__(self, *words):
        done = subprocess.run(
            ["redis-cli", "-s", self.sock, *words], capture_output=True, text=True, check=False, timeout=20
        )
        return done.stdout.strip()

    def hash(self, name):
        lines = self("HGETALL", name).split("\n")
        return dict(zip(lines[::2], lines[1::2]))

    def stop(self):
        self.process.kill()
        self.process.wait()


class Cli:
    def __init__(self, url, pepper):
        self.env = {**os.environ, "TOLLGATE_REDIS_URL": url, "TOLLGATE_PEPPER_FILE": str(pepper)}

    def __call__(self, *words, expect=0, env=None, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE):
        done = subprocess.run(
            [TOLLGATE, *words],
            env={**self.env, **(env or {})},
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == expect, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        if expect:
            assert done.stderr.startswith("tollgate: "), done.stderr
            assert not done.stdout or "list" in words
        return done

    def json(self, *words):
        return json.loads(self(*words, "--json").stdout)

    def error(self, expect, *words, **more):
        return self(*words, expect=expect, **more).stderr

    def new_key(self, tenant="acme", *words):
        return self.json("key", "create", "--tenant", tenant, "--name", "test", *words)


@pytest.fixture(scope="module")
def redis():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tgcli-"))
    server = Redis(folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cli(redis, tmp_path):
    redis("FLUSHALL")
    pepper = tmp_path / "pepper"
    pepper.touch(mode=0o600)
    pepper.write_text("# test\n" + "".join(f"{v} {p.hex()}\n" for v, p in PEPPERS.items()))
    made = Cli("unix://" + redis.sock, pepper)
    made.json("tenant", "create", "acme", "--name", "ACME Inc.", "--rpm", "600")
    return made


def parts(key):
    prefix, key_id, secret, check = key.split("_")
    assert (prefix, len(key_id), len(secret), len(check)) == ("tg", 12, 43, 6)
    return key_id, secret


def mac(secret, pepper=2):
    return hmac.new(PEPPERS[pepper], secret.encode(), hashlib.sha256).hexdigest()


# ---- wrong usage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "",
        "nonsense",
        "key",
        "key nonsense",
        "help nonsense",
        "help key nonsense",
        "key create",
        "key create --tenant acme",
        "key create --name x",
        "key create --tenant acme --name x extra",
        "key create --tenant acme --name x --nonsense",
        "key create --tenant acme --name x --rpm",
        "key create --tenant acme --name x --rpm -1",
        "key create --tenant acme --name x --rpm 1e3",
        "key create --tenant acme --name x --rpm 1 --rpm 2",
        "key create --tenant acme --name x --json=yes",
        "key create --tenant acme --name x --role root",
        "key create --tenant acme --name x --models a,,b",
        "key create --tenant acme --name x --models a/b/c/d/e",
        "key create --tenant acme --name x --networks 10.0.0.1/8",
        "key create --tenant acme --name x --networks localhost",
        "key create --tenant acme --name x --expires tomorrow",
        "key create --tenant acme --name x --expires 0",
        "key create --tenant acme --name x --expires 2020-01-01",
        "key create --tenant acme --name x --expires 2031-02-29",
        "key create --tenant acme --name x --priority 3000",
        "key create --tenant ACME --name x",
        "key create --tenant acme --name=",
        "key show",
        "key show short",
        "key show tg_abc",
        "key show 0123456789AB 0123456789AB",
        "key set 0123456789AB",
        "key set 0123456789AB --rpm x",
        "key set 0123456789AB --tenant other",
        "key rotate 0123456789AB --overlap 1",
        "key rotate 0123456789AB --overlap never",
        "key delete 0123456789AB",
        "key list extra",
        "key list --tenant _",
        "tenant create",
        "tenant create Acme",
        "tenant create -- -acme",
        "tenant create acme --rpm x",
        "tenant set acme",
        "tenant show a:b",
    ],
)
def test_wrong_usage(cli, redis, words):
    before = redis("DBSIZE")
    done = subprocess.run(
        [TOLLGATE, *words.split()], env=cli.env, capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode == USAGE, done
    assert done.stderr and not done.stdout
    assert redis("DBSIZE") == before


def test_control_characters_in_names_are_refused(cli):
    assert "--name must be UTF-8" in cli.error(USAGE, "key", "create", "--tenant", "acme", "--name", "a\nb")
    assert "--name must be UTF-8" in cli.error(USAGE, "tenant", "set", "acme", "--name", "\x1b[2J")


def test_messages_do_not_repeat_what_may_be_a_key(cli):
    key = cli.new_key()["key"]
    secret = parts(key)[1]
    for words in (
        ["key", "show", key],
        ["key", key],
        [key],
        ["help", key],
        ["key", "create", "--" + key],
        ["key", "create", f"--tenant={key}", "--name", "x"],
        ["key", "create", "--tenant", "acme", "--name", "x", "--rpm", key],
        ["key", "create", "--tenant", "acme", "--name", "x", "--models", key + ","],
        ["key", "list", "--redis", f"http://user:{secret}@host"],
    ):
        assert secret not in cli.error(USAGE, *words)


def test_environment_is_needed(cli):
    env = {"TOLLGATE_REDIS_URL": ""}
    assert "TOLLGATE_REDIS_URL" in cli.error(USAGE, "key", "list", env=env)
    env = {"TOLLGATE_PEPPER_FILE": ""}
    create = ["key", "create", "--tenant", "acme", "--name", "x"]
    assert "TOLLGATE_PEPPER_FILE" in cli.error(FAILED, *create, env=env)
    cli("key", "list", env=env)


# ---- failures of the surroundings -----------------------------------------------------------------------


def test_redis_down(cli):
    for url in ("unix:///nonexistent/r.sock", "redis://127.0.0.1:1"):
        stderr = cli.error(FAILED, "key", "list", "--redis", url)
        assert "is it running" in stderr and "cannot be used" in stderr


def test_wrong_password(cli, redis):
    redis("ACL", "SETUSER", "op", *ACL.split())
    for user in ("op:wrong-secret", ":wrong-secret", "nobody:wrong-secret"):
        stderr = cli.error(FAILED, "key", "list", "--redis", f"unix://{user}@{redis.sock}")
        assert "refuses the user name or the password" in stderr
        assert "wrong-secret" not in stderr


def test_login_needed(cli, redis):
    redis("ACL", "SETUSER", "default", "resetpass", ">default-secret")
    try:
        assert "wants a login" in cli.error(FAILED, "key", "list")
        cli("key", "list", "--redis", f"unix://:default-secret@{redis.sock}")
    finally:
        redis("--user", "default", "--pass", "default-secret", "ACL", "SETUSER", "default", "nopass")


def test_acl_too_small(cli, redis):
    redis("ACL", "SETUSER", "reader", "reset", "on", ">x", "~tg:*", "+hgetall", "+scan")
    url = f"unix://reader:x@{redis.sock}"
    cli("tenant", "show", "acme", "--redis", url)
    assert "ACL" in cli.error(FAILED, "tenant", "set", "acme", "--rpm", "5", "--redis", url)
    redis("ACL", "SETUSER", "writer", "reset", "on", ">x", "~tg:*", "+@all", "-hset")
    url = f"unix://writer:x@{redis.sock}"
    assert "ACL" in cli.error(FAILED, "tenant", "set", "acme", "--rpm", "5", "--redis", url)
    assert cli.json("tenant", "show", "acme")["rpm"] == 600


def test_replica_refuses(cli, redis):
    redis("REPLICAOF", "127.0.0.1", "1")
    try:
        assert "replica" in cli.error(FAILED, "tenant", "create", "other")
    finally:
        redis("REPLICAOF", "NO", "ONE")


@pytest.mark.parametrize(
    "content, mode, message",
    [
        ("1 " + "ab" * 31 + "cd\n", 0o644, "chmod o="),
        ("1 " + "ab" * 31 + "cd\n", 0o660, "chmod g-w"),
        ("", 0o600, "no pepper"),
        ("1 short\n", 0o600, "line 1"),
        (None, 0, "No such file"),
    ],
    ids=["readable", "writable", "empty", "short", "missing"],
)
def test_unusable_pepper(cli, redis, tmp_path, content, mode, message):
    path = tmp_path / "bad"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    stderr = cli.error(FAILED, "key", "create", "--tenant", "acme", "--name", "x", "--pepper", str(path))
    assert message in stderr and str(path) in stderr and "ab" * 8 not in stderr
    assert redis("KEYS", "tg:key:*") == ""


def test_output_that_cannot_be_written(cli):
    with open("/dev/full", "w", encoding="utf-8") as full:
        stderr = cli.error(FAILED, "key", "create", "--tenant", "acme", "--name", "x", stdout=full)
        assert "tollgate key rotate" in stderr
        assert "standard output" in cli.error(FAILED, "key", "list", "--json", stdout=full)


# ---- help -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group, verb", COMMANDS)
def test_help(cli, group, verb):
    done = cli(group, verb, "--help")
    assert done.stdout.startswith(f"Usage: tollgate {group} {verb}")
    assert "Exit status: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 conflict." in done.stdout
    assert "--json" in done.stdout and "--redis" in done.stdout
    assert cli("help", group, verb).stdout == done.stdout
    assert f"{group} {verb}" in cli("help").stdout
    assert f"{group} {verb}" in cli("help", group).stdout


def test_version(cli):
    assert cli("--version").stdout.startswith("tollgate ")


# ---- tenants --------------------------------------------------------------------------------------------


def test_tenant_life(cli, redis):
    tenant = cli.json("tenant", "show", "acme")
    assert set(tenant) == {"id", "name", "state", "created", "rpm"}
    assert (tenant["id"], tenant["name"], tenant["state"], tenant["rpm"]) == ("acme", "ACME Inc.", "active", 600)
    assert redis.hash("tg:tenant:acme")["v"] == "1"
    assert "already is a tenant" in cli.error(CONFLICT, "tenant", "create", "acme")
    assert cli.json("tenant", "set", "acme", "--rpm", "0")["rpm"] == 0
    assert cli.json("tenant", "show", "acme")["name"] == "ACME Inc."
    assert cli.json("tenant", "suspend", "acme")["state"] == "suspended"
    assert "suspended" in cli("key", "create", "--tenant", "acme", "--name", "x").stderr
    assert cli.json("tenant", "resume", "acme")["state"] == "active"
    cli("tenant", "create", "b-2")
    assert [t["id"] for t in cli.json("tenant", "list")] == ["acme", "b-2"]
    table = cli("tenant", "list").stdout.split("\n")
    assert table[0].split() == ["ID", "NAME", "STATE", "CREATED", "RPM"] and "unlimited" in table[1]


@pytest.mark.parametrize("words", ["show", "set --rpm 1", "suspend", "resume", "delete"])
def test_unknown_tenant(cli, words):
    verb, *options = words.split()
    assert "there is no tenant nobody" in cli.error(NOT_FOUND, "tenant", verb, "nobody", *options)


def test_tenant_delete(cli, redis):
    cli("tenant", "create", "other")
    other = cli.new_key("other")["id"]
    for _ in range(3):
        cli.new_key()
    assert "has keys (3)" in cli.error(CONFLICT, "tenant", "delete", "acme")
    assert len(cli.json("key", "list", "--tenant", "acme")) == 3
    assert cli.json("tenant", "delete", "acme", "--force") == {"id": "acme", "deleted": True, "deleted_keys": 3}
    assert [k["id"] for k in cli.json("key", "list")] == [other]
    assert redis("EXISTS", "tg:tenant:acme") == "0"
    cli("key", "delete", other, "--yes")
    assert cli.json("tenant", "delete", "other")["deleted_keys"] == 0


# ---- keys -----------------------------------------------------------------------------------------------

MEMBERS = {
    *"id tenant name role state expired created expires rpm priority models networks pepper".split(),
    "previous_until",
}


def test_key_defaults(cli, redis):
    key = cli.new_key()
    key_id, secret = parts(key["key"])
    assert set(key) == MEMBERS | {"key"}
    assert key["id"] == key_id
    assert (key["tenant"], key["name"], key["role"], key["state"]) == ("acme", "test", "user", "active")
    assert (key["rpm"], key["priority"], key["models"], key["networks"]) == (100, 0, [], [])
    assert (key["expires"], key["expired"], key["previous_until"], key["pepper"]) == (None, False, None, 2)
    record = redis.hash("tg:key:" + key_id)
    assert (record["mac1"], record["pep1"], record["mac2"], record["v"]) == (mac(secret), "2", "", "1")
    assert redis("TTL", "tg:key:" + key_id) == "-1"
    assert set(cli.json("key", "show", key_id)) == MEMBERS


def test_key_options(cli, redis):
    key = cli.new_key(
        "acme",
        *"--role operator --rpm 0 --models llama3*,gemma3:27b --networks 10.0.0.0/8,::1 --priority -5".split(),
        *"--expires 2031-12-31".split(),
    )
    assert (key["role"], key["rpm"], key["priority"]) == ("operator", 0, -5)
    assert key["models"] == ["llama3*", "gemma3:27b"]
    assert key["networks"] == ["10.0.0.0/8", "::1/128"]
    assert key["expires"] == "2032-01-01T00:00:00Z"
    assert redis("HGET", "tg:key:" + key["id"], "expires") == "1956528000"
    shown = cli("key", "show", key["id"]).stdout
    assert "llama3*, gemma3:27b" in shown and "unlimited" in shown


def test_key_expiry(cli, redis):
    expires = int(redis("HGET", "tg:key:" + cli.new_key("acme", "--expires", "90d")["id"], "expires"))
    assert abs(expires - time.time() - 90 * 86400) < 30
    key = cli.new_key("acme", "--expires", "1s")
    time.sleep(1.2)
    assert cli.json("key", "show", key["id"])["expired"] is True
    assert cli.json("key", "set", key["id"], "--expires", "never")["expired"] is False


def test_key_of_unknown_tenant(cli, redis):
    stderr = cli.error(NOT_FOUND, "key", "create", "--tenant", "nobody", "--name", "x")
    assert "tollgate tenant create nobody" in stderr
    assert redis("KEYS", "tg:*") == "tg:tenant:acme"


@pytest.mark.parametrize("words", ["show", "set --rpm 1", "rotate", "suspend", "resume", "revoke", "delete --yes"])
def test_unknown_key(cli, words):
    verb, *options = words.split()
    assert "there is no key 0123456789AB" in cli.error(NOT_FOUND, "key", verb, "0123456789AB", *options)


def test_key_list(cli):
    assert cli.json("key", "list") == []
    cli("tenant", "create", "other")
    for tenant, name in (("other", "a"), ("acme", "z"), ("acme", "b")):
        cli("key", "create", "--tenant", tenant, "--name", name)
    assert [(k["tenant"], k["name"]) for k in cli.json("key", "list")] == [
        ("acme", "b"), ("acme", "z"), ("other", "a"),
    ]  # fmt: skip
    assert [k["name"] for k in cli.json("key", "list", "--tenant", "other")] == ["a"]
    assert cli.json("key", "list", "--tenant", "nobody") == []
    assert set(cli.json("key", "list")[0]) == MEMBERS
    table = cli("key", "list").stdout.rstrip("\n").split("\n")
    assert len(table) == 4
    assert all(line.index(word) == table[0].index("ROLE") for line, word in zip(table[1:], ["user"] * 3))


def test_key_list_of_thousands(cli, redis):
    template = redis.hash("tg:key:" + cli.new_key()["id"])
    commands = []
    for i in range(3000):
        words = ["HSET", f"tg:key:{i:012d}"]
        for name, value in template.items():
            words += [name, f'"{value}"']
        commands.append(" ".join(words))
    subprocess.run(["redis-cli", "-s", redis.sock], input="\n".join(commands), text=True, capture_output=True, check=True)
    assert len(cli.json("key", "list")) == 3001
    assert cli.json("tenant", "delete", "acme", "--force")["deleted_keys"] == 3001
    assert redis("DBSIZE") == "0"


def test_key_set(cli, redis):
    key = cli.new_key("acme", "--models", "llama3*")
    redis("HSET", "tg:key:" + key["id"], "tpm", "5000")
    before = redis.hash("tg:key:" + key["id"])
    changed = cli.json("key", "set", key["id"], "--rpm", "7", "--networks", "10.0.0.0/8", "--name", "ä")
    assert (changed["rpm"], changed["networks"], changed["name"]) == (7, ["10.0.0.0/8"], "ä")
    after = redis.hash("tg:key:" + key["id"])
    assert {n for n in after if after[n] != before[n]} == {"rpm", "networks", "name"}
    assert cli.json("key", "set", key["id"], "--models", "", "--networks=")["models"] == []


def test_key_states(cli):
    key_id = cli.new_key()["id"]
    assert cli.json("key", "suspend", key_id)["state"] == "suspended"
    assert cli.json("key", "resume", key_id)["state"] == "active"
    assert cli.json("key", "revoke", key_id)["state"] == "revoked"
    assert cli.json("key", "revoke", key_id)["state"] == "revoked"
    for verb in ("resume", "suspend", "rotate"):
        assert "revoked" in cli.error(CONFLICT, "key", verb, key_id)
    assert cli.json("key", "set", key_id, "--rpm", "5")["state"] == "revoked"


def test_key_delete(cli, redis):
    key_id = cli.new_key()["id"]
    assert "--yes" in cli.error(USAGE, "key", "delete", key_id)
    assert cli.json("key", "delete", key_id, "--yes") == {"id": key_id, "deleted": True}
    assert redis("EXISTS", "tg:key:" + key_id) == "0"


@pytest.mark.parametrize("answer, code", [("n", FAILED), ("", FAILED), ("y", 0)])
def test_key_delete_asks(cli, redis, answer, code):
    key_id = cli.new_key()["id"]
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode() + b"\n")
    done = subprocess.run([TOLLGATE, "key", "delete", key_id], env=cli.env, stdin=theirs, capture_output=True, check=False)
    os.close(theirs)
    os.close(ours)
    assert done.returncode == code and b"[y/N]" in done.stderr
    assert redis("EXISTS", "tg:key:" + key_id) == ("0" if code == 0 else "1")


def test_rotation(cli, redis):
    first = cli.new_key()
    key_id, secret1 = parts(first["key"])
    second = cli.json("key", "rotate", key_id)
    assert set(second) == MEMBERS | {"key", "dropped_previous"}
    secret2 = parts(second["key"])[1]
    assert second["id"] == key_id and secret1 != secret2 and second["dropped_previous"] is False
    record = redis.hash("tg:key:" + key_id)
    assert (record["mac1"], record["mac2"], record["pep2"]) == (mac(secret2), mac(secret1), "2")
    assert abs(int(record["mac2_exp"]) - time.time() - 86400) < 30
    done = cli("key", "rotate", key_id, "--overlap", "1h", "--json")
    third = json.loads(done.stdout)
    assert third["dropped_previous"] is True and "two at most" in done.stderr
    record = redis.hash("tg:key:" + key_id)
    assert record["mac2"] == mac(secret2)
    assert abs(int(record["mac2_exp"]) - time.time() - 3600) < 30
    fourth = cli.json("key", "rotate", key_id, "--overlap", "0")
    record = redis.hash("tg:key:" + key_id)
    assert fourth["previous_until"] is None
    assert (record["mac1"], record["mac2"]) == (mac(parts(fourth["key"])[1]), "")
    assert (record["pep2"], record["mac2_exp"]) == ("0", "0")


def test_rotation_moves_to_the_newest_pepper(cli, redis, tmp_path):
    old = tmp_path / "old"
    old.touch(mode=0o600)
    old.write_text(f"1 {PEPPERS[1].hex()}\n")
    key = cli.new_key("acme", "--pepper", str(old))
    assert key["pepper"] == 1
    assert cli.json("key", "rotate", key["id"])["pepper"] == 2
    record = redis.hash("tg:key:" + key["id"])
    assert (record["pep1"], record["pep2"], record["mac2"]) == ("2", "1", mac(parts(key["key"])[1], 1))


def test_no_secret_in_redis(cli, redis):
    secrets = []
    for _ in range(3):
        key = cli.new_key()
        secrets.append(parts(key["key"])[1])
        secrets.append(parts(cli.json("key", "rotate", key["id"])["key"])[1])
    redis("CONFIG", "SET", "rdbcompression", "no")
    assert redis("SAVE") == "OK"
    dump = (redis.folder / "dump.rdb").read_bytes()
    assert mac(secrets[-1]).encode() in dump, "the dump can be searched"
    for secret in secrets:
        assert secret.encode() not in dump
        assert secret[:16].encode() not in dump
    listing = cli("key", "list").stdout + cli("key", "list", "--json").stdout
    assert not any(secret in listing for secret in secrets)
    assert "mac" not in listing


def test_least_privilege(cli, redis):
    redis("ACL", "SETUSER", "op", *ACL.split())
    cli.env["TOLLGATE_REDIS_URL"] = f"unix://op:cli-secret@{redis.sock}"
    cli("tenant", "create", "t2", "--rpm", "5")
    key_id = cli.new_key("t2")["id"]
    for words in (
        f"key list --tenant t2;key show {key_id};key set {key_id} --rpm 5;key rotate {key_id};key suspend {key_id};"
        f"key resume {key_id};key revoke {key_id};key delete {key_id} --yes;tenant list;tenant show t2;"
        "tenant set t2 --rpm 1;tenant suspend t2;tenant resume t2;tenant delete t2 --force"
    ).split(";"):
        cli(*words.split())


# ---- records of others ----------------------------------------------------------------------------------


def test_unreadable_records_are_reported_and_kept(cli, redis):
    good, bad = cli.new_key()["id"], cli.new_key()["id"]
    redis("HSET", "tg:key:" + bad, "v", "2")
    redis("SET", "tg:key:string", "x")
    done = cli("key", "list", "--json", expect=FAILED)
    assert [k["id"] for k in json.loads(done.stdout)] == [good]
    assert bad in done.stderr and "v must be 1" in done.stderr
    before = redis.hash("tg:key:" + bad)
    for words in (["set", bad, "--rpm", "1"], ["rotate", bad], ["revoke", bad]):
        assert "newer version" in cli.error(FAILED, "key", *words)
    assert redis.hash("tg:key:" + bad) == before
    assert cli.json("tenant", "delete", "acme", "--force")["deleted_keys"] == 2


# ---- two at the same time -------------------------------------------------------------------------------


class Meddler:
    """Stands between the command line and Redis and runs a command of its own when it sees MULTI pass."""

    def __init__(self, redis, folder, times, *command):
        self.redis, self.times, self.command = redis, times, command
        self.sock = str(folder / "m.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.sock)
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.redis.sock)
            threading.Thread(target=self.pump, args=(server, client, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(client, server, True), daemon=True).start()

    def pump(self, source, target, watch):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if watch and b"MULTI" in data and self.times > 0:
                    self.times -= 1
                    self.redis(*self.command)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.close()


@pytest.fixture
def meddle(redis, folder):
    made = []

    def make(times, *command):
        made.append(Meddler(redis, folder, times, *command))
        return "unix://" + made[-1].sock

    yield make
    for meddler in made:
        meddler.close()


@pytest.fixture
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="tgm-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def test_change_is_made_again_on_top_of_the_others(cli, redis, meddle):
    key_id = cli.new_key()["id"]
    url = meddle(2, "HSET", "tg:key:" + key_id, "priority", "9")
    changed = cli.json("key", "set", key_id, "--rpm", "7", "--redis", url)
    assert (changed["rpm"], changed["priority"]) == (7, 9)
    assert cli.json("key", "show", key_id)["priority"] == 9


def test_resume_loses_against_revoke(cli, redis, meddle):
    key_id = cli.new_key()["id"]
    cli("key", "suspend", key_id)
    url = meddle(1, "HSET", "tg:key:" + key_id, "state", "revoked")
    assert "revoked" in cli.error(CONFLICT, "key", "resume", key_id, "--redis", url)
    assert cli.json("key", "show", key_id)["state"] == "revoked"


def test_two_rotations_conflict(cli, redis, meddle):
    key = cli.new_key()
    url = meddle(1, "HSET", "tg:key:" + key["id"], "priority", "9")
    stderr = cli.error(CONFLICT, "key", "rotate", key["id"], "--redis", url)
    assert "somebody else" in stderr
    assert redis.hash("tg:key:" + key["id"])["mac1"] == mac(parts(key["key"])[1])


def test_endless_meddling_is_a_conflict(cli, redis, meddle):
    key_id = cli.new_key()["id"]
    url = meddle(1000, "HINCRBY", "tg:key:" + key_id, "priority", "1")
    assert "somebody else" in cli.error(CONFLICT, "key", "set", key_id, "--rpm", "7", "--redis", url)
    assert cli.json("key", "show", key_id)["rpm"] == 100


def test_deleted_key_does_not_come_back(cli, redis, meddle):
    key_id = cli.new_key()["id"]
    url = meddle(1, "DEL", "tg:key:" + key_id)
    cli.error(NOT_FOUND, "key", "set", key_id, "--rpm", "7", "--redis", url)
    assert redis("EXISTS", "tg:key:" + key_id) == "0"


def test_key_of_a_tenant_deleted_meanwhile(cli, redis, meddle):
    url = meddle(1, "DEL", "tg:tenant:acme")
    cli.error(NOT_FOUND, "key", "create", "--tenant", "acme", "--name", "x", "--redis", url)
    assert redis("DBSIZE") == "0"


def test_tenant_delete_notices_a_key_made_meanwhile(cli, redis, meddle):
    key = redis.hash("tg:key:" + cli.new_key()["id"])
    redis("DEL", *redis("KEYS", "tg:key:*").split())
    words = [word for pair in key.items() for word in pair]
    # What key create does in its transaction: the key, and a touch of the tenant.
    script = "redis.call('HSET', KEYS[1], unpack(ARGV)); redis.call('HSET', KEYS[2], 'v', '1')"
    url = meddle(1, "EVAL", script, "2", "tg:key:ABABABABABAB", "tg:tenant:acme", *words)
    assert "has keys (1)" in cli.error(CONFLICT, "tenant", "delete", "acme", "--redis", url)
    assert redis("EXISTS", "tg:tenant:acme") == "1"


def test_tenant_created_by_two(cli, redis, meddle):
    url = meddle(1, "HSET", "tg:tenant:twice", "v", "1", "state", "active", "rpm", "5")
    assert "already" in cli.error(CONFLICT, "tenant", "create", "twice", "--redis", url)
    assert redis("HGET", "tg:tenant:twice", "rpm") == "5"
