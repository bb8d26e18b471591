import re

import pytest

from sfmforensics._utils.entry_points import Additions
from sfmforensics.exceptions import DatasetError, PackageWarning

GROUP = "sfmforensics.trials"


@pytest.fixture
def additions():
    return Additions(GROUP, "trial", {"ours"}, DatasetError)


def test_what_a_package_brings_is_found_by_its_name_and_by_its_attribute(install, additions):
    assert additions.names() == []
    install(
        "theirs_a", {GROUP: {"b": "theirs_a:Second", "a": "theirs_a:First"}}, "First, Second = 1, 2"
    )
    assert additions.names() == ["a", "b"]
    assert (additions.load("a"), additions.load_attribute("Second")) == (1, 2)
    assert additions.load("c") is additions.load_attribute("a") is None


def test_one_that_cannot_be_imported_says_whose_it_is_and_breaks_nothing_else(install, additions):
    install("broken_b", {GROUP: {"b": "broken_b:x"}}, "1 / 0")
    install("theirs_b", {GROUP: {"a": "theirs_b:x"}}, "x = 1")
    assert additions.names() == ["a", "b"]
    assert additions.load("a") == 1
    with pytest.raises(DatasetError, match="trial 'b' of the package 'broken_b' cannot be loaded"):
        additions.load("b")


def test_a_name_of_the_table_is_not_given_away(install, additions):
    install("theirs_c", {GROUP: {"ours": "theirs_c:x", "a": "theirs_c:x"}}, "x = 1")
    says = re.escape("the trial 'ours' of the package 'theirs_c' is not used: 'ours' is built in")
    with pytest.warns(PackageWarning, match=says):
        assert additions.names() == ["a"]


def test_two_packages_with_one_name_are_named(install, additions):
    install("theirs_d", {GROUP: {"a": "theirs_d:x"}}, "x = 1")
    install("theirs_e", {GROUP: {"a": "theirs_e:x"}}, "x = 2")
    with pytest.raises(DatasetError, match="'theirs_d' and 'theirs_e' both bring a trial 'a'"):
        additions.load("a")
