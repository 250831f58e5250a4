"""Labelled texts are read as people export them, and a broken file is one line that quotes no cell."""

from pathlib import Path

import pytest

from service.labelled import Labelled, read_labelled
from service.settings import SettingsError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the file of a test lies."""
    return tmp_path / "rows.csv"


@pytest.mark.parametrize(
    ("said", "label"),
    [("1", True), ("0", False), ("True", True), ("false", False), ("1.0", True), (" 0 ", False), ("BAD", True),
     ("NOT_BAD", False), ("toxic", True), ("nontoxic", False), ("hateful", True), ("non-hateful", False)],
)  # fmt: skip
def test_labels_are_read_in_the_words_of_public_sets(file: Path, said: str, label: bool) -> None:
    """Numbers, truth values and the words of public data sets are labels."""
    file.write_text(f"comment,toxic\nSome text,{said}\n")
    assert read_labelled(file, text="comment", label="toxic") == [Labelled("Some text", label, {})]


def test_quotes_lines_and_marks_of_order_are_read(file: Path) -> None:
    """A byte order mark, commas, quotes and line ends within a cell are no trouble, nor is a cell of a megabyte."""
    long = "a" * 1_000_000
    file.write_text(f'\ufefftext,label\n"one, ""two""\nthree",1\n{long},0\n', encoding="utf-8")
    assert [row.text for row in read_labelled(file, text="text", label="label")] == ['one, "two"\nthree', long]


def test_a_file_of_tabs_is_read_by_its_name(tmp_path: Path) -> None:
    """A .tsv file is split at tabs."""
    file = tmp_path / "rows.tsv"
    file.write_text("text\tlabel\na, b\t1\n")
    assert read_labelled(file, text="text", label="label")[0].text == "a, b"


def test_other_columns_come_along_where_they_are(file: Path) -> None:
    """A column that is asked for and absent is left out, so that a caller can tell."""
    file.write_text("text,label,group\nx,1,a;b\n")
    [row] = read_labelled(file, text="text", label="label", more=["group", "functionality"])
    assert row.more == {"group": "a;b"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"text,label\nsecret words,maybe\n", "line 2: the label is not 0, 1, true or false"),
        (b"text,label\nsecret words,1\nsecret words\n", "line 3: the label is not"),
        (b"label,text\n1\n", "line 2: has no text"),
        (b"text,other\nsecret words,1\n", "has no column label; it has text, other"),
        (b"", "has no column text, label; it has none"),
        (b"text,label\n", "has no rows"),
        (b"text,label\nsecret words \xff\xfe,1\n", "not text in UTF-8"),
    ],
)
def test_a_broken_file_is_one_line(file: Path, content: bytes, message: str) -> None:
    """What is wrong is said with its line, on one line, and no cell is quoted."""
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=message) as caught:
        read_labelled(file, text="text", label="label")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """An absent file and a folder are told apart."""
    with pytest.raises(SettingsError, match="there is no such file"):
        read_labelled(tmp_path / "absent.csv", text="text", label="label")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_labelled(tmp_path, text="text", label="label")
