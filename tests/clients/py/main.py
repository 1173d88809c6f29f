"""Runs one client's tests and prints one JSON object a test:   python main.py CLIENT main|retry"""

import importlib
import json
import signal
import sys
import traceback

from gate import NotOffered, Remark, gate

SECONDS = {"main": 30, "retry": 150}


def report(feature, result, note):
    """A note is for whoever watches the tests; a remark, and why something is not "yes", stands in the table."""
    remark = result != "yes" or isinstance(note, Remark)
    print(json.dumps({"feature": feature, "result": result, "note": str(note or ""), "remark": remark}), flush=True)


def late(_number, _frame):
    raise TimeoutError("no end within the time of a test")


def main(name, part):
    gate.limited = getattr(gate.keys.limited, f"{name}-{part}")
    tests = importlib.import_module("client_" + name.removeprefix("py-").replace("-", "_")).TESTS
    signal.signal(signal.SIGALRM, late)
    for feature, test in tests.items():
        if (feature == "retry") != (part == "retry"):
            continue
        signal.alarm(SECONDS[part])
        try:
            report(feature, "yes", test())
        except NotOffered as reason:
            report(feature, "n.a.", reason)
        except Exception as error:  # pylint: disable=broad-except
            report(feature, "no", f"{type(error).__name__}: {error}"[:300])
            print(f"--- {name} {feature}", file=sys.stderr)
            traceback.print_exc()
        finally:
            signal.alarm(0)


main(*sys.argv[1:3])
