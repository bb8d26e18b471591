"""Name the tests that ``make quick`` leaves out, by what a whole run took.

    make test ARGS=--junitxml=times.xml
    python tests/record_slow.py times.xml > tests/slow.txt

A function is slow if one of its cases took more than 0.3 s, or all together more than 3 s. New
tests are quick until it is run again.
"""

import re
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

ONE_CASE, ALL_CASES = 0.3, 3.0
NEVER = {
    # A run from end to end: evaluate and verify.
    "tests/workflow/test_segments.py::test_results_name_segments_and_can_be_verified",
}


def node_of(case):
    """The id of a function, without its parameters, from how JUnit calls a case of it."""
    parts, name = case.get("classname").split("."), re.sub(r"\[.*", "", case.get("name"))
    for n in range(len(parts), 0, -1):
        module = Path(*parts[:n])
        for file in (module.with_name(f"{module.name}.py"), module / "__init__.py"):
            if file.is_file():
                return "::".join([file.as_posix(), *parts[n:], name])
    raise SystemExit(f"{case.get('classname')}: no such file; run this where the tests are")


def main():
    total, longest = Counter(), Counter()
    for case in ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
        node, seconds = node_of(case), float(case.get("time"))
        total[node] += seconds
        longest[node] = max(longest[node], seconds)
    slow = {node for node in total if longest[node] > ONE_CASE or total[node] > ALL_CASES}
    print("\n".join(sorted(slow - NEVER)))


if __name__ == "__main__":
    main()
