"""The provider looks after the stock of numbers by commands, and an administrator looks for one."""

from pathlib import Path

from offhook.doors.cli.server import Exit
from tests.doors.test_command_line import answered, offhook, provided, running, url

__all__ = ["provided", "running", "url"]


def does(data: Path, *words: str, expect: int = Exit.DONE) -> tuple[str, str]:
    done = offhook(*words, data=data)
    assert done.returncode == expect, (words, done.stdout, done.stderr)
    return done.stdout, done.stderr


def test_numbers_are_added_one_by_one_and_by_the_range(provided: Path) -> None:
    said, _ = does(provided, "stock", "add", "+13125550100", "--locality", "Chicago", "--dry-run")
    assert said == "Would add the number +13125550100 (locality Chicago).\n"
    assert does(provided, "stock", "add", "+13125550100")[0] == "Added +13125550100; any organization may take it.\n"
    _, why = does(provided, "stock", "add", "+13125550100", expect=Exit.REFUSED)
    assert "is in the stock already" in why
    does(provided, "stock", "add", "+13125550100", "--last", "+13125550109", expect=Exit.REFUSED)
    said, _ = does(provided, "stock", "add", "+13125550100", "--last", "+13125550109", "--on-existing", "skip", "--kind", "toll_free")
    assert said == "From +13125550100 to +13125550109: 9 created, 1 skipped.\n"
    listed = answered("stock", "--prefix", "+1312555010", "--kind", "toll_free", data=provided)["stock"]
    assert len(listed) == 9 and {each["state"] for each in listed} == {"free"}


def test_who_has_what_is_listed_and_what_is_in_use_stays(provided: Path) -> None:
    said, _ = does(provided, "stock", "list", "--organization", "pine.test")
    assert [line.split()[:3] for line in said.splitlines()] == [["number", "state", "domain"], ["+15035550101", "in_use", "pine.test"]]
    _, why = does(provided, "stock", "remove", "+15035550101", "--yes", expect=Exit.REFUSED)
    assert "in use by pine.test" in why
    _, why = does(provided, "stock", "remove", "+12065550142", expect=Exit.REFUSED)
    assert "say --yes" in why and "nobody can take it any more" in why
    assert does(provided, "stock", "remove", "+12065550142", "--yes")[0] == "Removed the number +12065550142.\n"
    does(provided, "stock", "show", "+12065550142", expect=Exit.NOT_THERE)


def test_a_number_is_withheld_for_a_reason_and_released(provided: Path) -> None:
    does(provided, "stock", "withhold", "+12065550142", expect=Exit.WRONG_COMMAND)
    does(provided, "stock", "withhold", "+12065550142", "--because", " ", expect=Exit.WRONG_COMMAND)
    said, _ = does(provided, "stock", "withhold", "+12065550142", "--because", "quarantine")
    assert said == "Changed the number +12065550142: withheld none -> quarantine\n"
    assert does(provided, "numbers", "available", "--prefix", "+12065550142")[0] == "No numbers.\n"
    assert "not available" in does(provided, "numbers", "take", "+12065550142", expect=Exit.REFUSED)[1]
    assert "quarantine -> none" in does(provided, "stock", "release", "+12065550142")[0]
    assert "so already" in does(provided, "stock", "release", "+12065550142")[0]
    assert "+12065550142" in does(provided, "numbers", "available", "--search", "0142", "--country", "us")[0]
    does(provided, "numbers", "take", "+12065550142")


def test_a_file_is_tried_then_imported_and_tells_which_rows_were_refused(provided: Path) -> None:
    file = provided / "numbers.csv"
    file.write_text("e164,country\n+13125550100,\n+13125550101,DE\n12,\n")
    said, _ = does(provided, "stock", "import", str(file), "--dry-run", expect=Exit.NOT_ALL_WELL)
    assert said.startswith("3 rows: 1 created, 2 refused (dry run: nothing was changed).\n")
    does(provided, "stock", "show", "+13125550100", expect=Exit.NOT_THERE)
    said, _ = does(provided, "stock", "import", str(file), expect=Exit.NOT_ALL_WELL)
    told = [line.split() for line in said.splitlines()[1:]]
    assert [row[:3] for row in told] == [["row", "number", "field"], ["3", "+13125550101", "country"], ["4", "12", "number"]]
    file.write_text("e164\n+13125550100\n")
    assert does(provided, "stock", "import", str(file))[0] == "1 rows: 1 unchanged.\n"
    does(provided, "stock", "import", str(provided / "absent.csv"), expect=Exit.WRONG_COMMAND)
