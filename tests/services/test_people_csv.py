"""Files of people as spreadsheets write them, and as they come when something went wrong."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.services.people_csv import COLUMNS, read_sheet
from offhook.services.sheets import (
    EmptyFile,
    TooManyRows,
    UnreadableFile,
    WrongColumns,
    hidden,
    shown,
    written,
)

TEXT = "username,name\nrené,René Łukasz\n"


@pytest.mark.parametrize(
    ("octets", "encoding"),
    [
        (TEXT.encode(), "UTF-8"),
        (TEXT.encode("utf-8-sig"), "UTF-8 with BOM"),
        (b"\xff\xfe" + TEXT.encode("utf-16-le"), "UTF-16"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "UTF-16"),
        (TEXT.replace("Ł", "E").encode("cp1252"), "Windows-1252"),
        (TEXT.replace("Ł", "\x81").encode("latin-1"), "Latin-1"),
    ],
)
def test_what_a_spreadsheet_writes_is_read_as_what_it_is(octets: bytes, encoding: str) -> None:
    sheet = read_sheet(octets)
    assert sheet.encoding == encoding
    assert sheet.rows[0][1][0] == "rené"


def test_a_first_letter_with_an_accent_that_is_the_last_of_the_file_cuts_none() -> None:
    sheet = read_sheet(b"username,name\nzoe,Zo\xe9")
    assert (sheet.encoding, sheet.rows) == ("Windows-1252", [(2, ["zoe", "Zoé"])])


def test_a_cell_of_any_length_is_one_rows_matter() -> None:
    long = "x" * 200_000
    assert read_sheet(f'username,name\nanna,{long}\nben,"{long}"\nzoe,Zoe'.encode()).rows[2] == (4, ["zoe", "Zoe"])


@pytest.mark.parametrize(("mark", "name"), [(",", "comma"), (";", "semicolon"), ("\t", "tab")])
def test_comma_semicolon_and_tab_are_told_apart_by_the_heads(mark: str, name: str) -> None:
    sheet = read_sheet(mark.join(["Username", '"Time Zone"', "NAME"]).encode() + b"\r\n" + mark.join("abc").encode())
    assert (sheet.delimiter, sheet.columns, sheet.rows) == (name, ("username", "time_zone", "name"), [(2, ["a", "b", "c"])])


def test_quotes_and_line_breaks_stay_in_their_cell_and_rows_count_as_in_a_spreadsheet() -> None:
    sheet = read_sheet(b'username,name\r\n\r\nanna,"Anna ""A"", Berg"\r\n,,\r\nben,"Ben\r\nOkafor"\r\nzoe,Zoe,,\r\n')
    assert sheet.rows == [(3, ["anna", 'Anna "A", Berg']), (5, ["ben", "Ben\r\nOkafor"]), (6, ["zoe", "Zoe"])]


def test_a_row_that_is_cut_or_too_long_is_kept_as_it_is_for_its_own_refusal() -> None:
    assert read_sheet(b"username,name,email\nanna\nben,Ben,b@x.de,9").rows == [(2, ["anna"]), (3, ["ben", "Ben", "b@x.de", "9"])]


@pytest.mark.parametrize(
    ("octets", "refusal", "field", "words"),
    [
        (b"", EmptyFile, "file", "empty"),
        (b"\xef\xbb\xbf\r\n \r\n", EmptyFile, "file", "empty"),
        (b"username,name\n", EmptyFile, "file", "no row"),
        (b"username,name,phone\nanna,Anna,1", WrongColumns, "phone", "'phone'"),
        (b"username,name,name\nanna,Anna,1", WrongColumns, "name", "twice"),
        (b"username,email\nanna,a@b.de", WrongColumns, "name", "no column name"),
        (b"username,,name\nanna,,Anna", WrongColumns, "file", "column 2"),
        (b"\0\0\0\0", WrongColumns, "file", "not known"),
        (b'username,name\nanna,"Anna', UnreadableFile, "name", "row 2, name"),
        (b'username,name\nanna,Anna\nben,"Ben" Okafor\nzoe,Zoe', UnreadableFile, "name", "row 3, name"),
        (b'username,name\nanna,Anna\n"ben,Ben\n' + b"x,y\n" * 400_000, UnreadableFile, "username", "row 3, username"),
        ("username,name\nrené,René\nmaría,Mar".encode() + b"\xc3", UnreadableFile, "file", "line 3"),
        (b"username,name\nanna,5 " + "€".encode()[:2], UnreadableFile, "file", "line 2"),
        ("username,name\nrené,Ren".encode() + b"\xe9\n", UnreadableFile, "file", "line 2"),
        (b"\xff\xfeu\0s\0e", UnreadableFile, "file", "UTF-16"),
        (b"username,name\n" + b"a,b\n" * 100_001, TooManyRows, "file", "100000"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(octets: bytes, refusal: type[Exception], field: str, words: str) -> None:
    with pytest.raises(refusal) as caught:
        read_sheet(octets)
    assert (caught.value.field, words in str(caught.value)) == (field, True), str(caught.value)  # type: ignore[attr-defined]


@pytest.mark.parametrize("cell", ["=1+1", "+12065550101", "-2", "@sum", "\t=1", " =1", "0101", "'=1", "＝1", "\r"])
def test_what_a_spreadsheet_would_run_or_change_has_an_apostrophe_before_it(cell: str) -> None:
    assert hidden(cell) == f"'{cell}"
    assert shown(hidden(cell)) == cell


@pytest.mark.parametrize("cell", ["'t Hooft", "anna", "101", "00x", "a=b", ""])
def test_what_a_spreadsheet_leaves_alone_is_left_alone(cell: str) -> None:
    assert hidden(cell) == shown(cell) == cell


@given(st.text())
def test_hiding_is_undone_whatever_stands_in_a_cell(cell: str) -> None:
    assert shown(hidden(cell)) == cell


CELLS = st.text(st.characters(exclude_categories=["Cs"])) | st.text(alphabet="'=+-@0;,\"\r\n\t é")


@given(st.lists(st.lists(CELLS, min_size=len(COLUMNS), max_size=len(COLUMNS)), min_size=1, max_size=5))
def test_what_is_written_is_read_as_it_was_and_by_others_too(rows: list[list[str]]) -> None:
    rows = [["anna", *row[1:-1], "end"] for row in rows]  # a row of nothing is none, and neither is what is empty at its end
    octets = written(COLUMNS, rows)
    assert [cells for _, cells in read_sheet(octets).rows] == rows
    others = list(csv.reader(io.StringIO(octets.decode("utf-8-sig"), newline="")))
    assert others[1:] == [[hidden(cell) for cell in row] for row in rows]


@given(st.binary(max_size=300) | st.text(alphabet='username,name\n";\t\r\0é').map(str.encode))
def test_no_file_is_too_strange_to_be_answered(octets: bytes) -> None:
    try:
        sheet = read_sheet(b"username,name\n" + octets)
    except (EmptyFile, UnreadableFile, WrongColumns, TooManyRows):
        return
    assert sheet.rows
