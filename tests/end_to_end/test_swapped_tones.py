"""Tones exchanged in a user's own metadata between two runs: the report of the second says so."""

import re


def test_exchanging_two_tones_in_the_metadata_stamps_the_next_report(rooms, tonegap, tmp_path):
    download = tmp_path / "download"
    rooms.clinic(download)
    rooms.suite(tasks=["clinic/two"])
    words = ("tiny", "--suite-root", rooms.root, "--root", download)
    assert tonegap("run", *words) == 0
    rows = download / "rows.csv"
    exchange = {",I,": ",VI,", ",VI,": ",I,"}
    rows.write_text(re.sub(",V?I,", lambda m: exchange[m[0]], rows.read_text()))
    assert tonegap("run", *words) == 0
    assert tonegap("report", "--format", "md", "--strict", "--suite-root", rooms.root) == 1
    assert tonegap.out.startswith("# TRUTH ALARM – Suite tiny\n")
    assert "tones I and VI are exchanged" in tonegap.out
