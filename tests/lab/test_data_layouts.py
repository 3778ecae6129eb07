"""Public layouts become manifests; what does not fit together is told."""

from pathlib import Path

import pytest

from reelcheck.lab.data.layouts import (
    import_folders,
    import_kinetics,
    import_konvid,
    import_ucf101,
    layout_of,
)
from reelcheck.lab.data.manifest import Row, read_manifest, write_manifest
from reelcheck.lab.errors import DataError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def by_file(rows: list[Row]) -> dict[str, Row]:
    return {row.file: row for row in rows}


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("KoNViD_1k_mos.csv", '"flickr_id","mos"\n123,3.2\n77,1\n9,4.5\n'),
        (
            "KoNViD_1k_attributes.csv",
            "flickr_id,blur,MOS,MOS_std\n123,1,3.2,.6\n77,2,1,.5\n9,1,4.5,.7\n",
        ),
        ("KoNViD_1k_attributes.csv", "id,file_name,MOS\n1,123.mp4,3.2\n2,77.mp4,1\n3,9.mp4,4.5\n"),
    ],
)
def test_konvid_gives_scores_and_tells_what_has_no_counterpart(
    table: str, text: str, tmp_path: Path
) -> None:
    touch(
        tmp_path,
        "KoNViD_1k_videos/123.mp4",
        "KoNViD_1k_videos/77_original_centercrop_960x540_8s.mp4",
        "KoNViD_1k_videos/5.mp4",
    )
    (tmp_path / table).write_text(text)
    assert layout_of(tmp_path) == "konvid"

    found = import_konvid(tmp_path)

    scores = {row.group: row.score for row in found.rows}
    assert scores == {"123": 3.2, "77": 1}
    assert len(found.missing) == 2
    assert "row 4: there is no video of '9'" in found.missing[0]
    assert "5.mp4 has no opinion" in found.missing[1]


@pytest.mark.parametrize("mos", ["", "good", "5.1", "0", "nan"])
def test_an_opinion_that_cannot_be_one_is_refused(mos: str, tmp_path: Path) -> None:
    touch(tmp_path, "1.mp4")
    (tmp_path / "KoNViD_1k_mos.csv").write_text(f"flickr_id,mos\n1,{mos}\n")

    with pytest.raises(DataError, match=r"mos\.csv, row 2: MOS"):
        import_konvid(tmp_path)


def test_kinetics_finds_cut_and_whole_videos(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "train/air drumming/abc_000012_000022.mp4",
        "val/xyz.mkv",
        "val/lonely_000001_000011.mp4",
        *(f"train/more/v{n}_000000_000010.mp4" for n in range(12)),
    )
    (tmp_path / "train.csv").write_text(
        "label,youtube_id,time_start,time_end,split\n"
        "air drumming,abc,12,22,train\n"
        "air drumming,gone,1,11,train\n" + "".join(f"more,v{n},0,10,train\n" for n in range(12))
    )
    (tmp_path / "validate.csv").write_text(
        "label,youtube_id,time_start,time_end,split,is_cc\nair drumming,xyz,7,17,validate,0\n"
    )
    (tmp_path / "test.csv").write_text("youtube_id,time_start,time_end,split\nxyz,7,17,test\n")
    assert layout_of(tmp_path) == "kinetics"

    found = import_kinetics(tmp_path)

    rows = by_file(found.rows)
    cut, whole = rows["train/air drumming/abc_000012_000022.mp4"], rows["val/xyz.mkv"]
    assert (cut.label, cut.group, cut.start_seconds) == ("air drumming", "abc", None)
    assert (whole.start_seconds, whole.end_seconds, whole.split) == (7, 17, "test")
    assert sum(row.split == "validation" for row in found.rows) == 2
    told = "\n".join(found.missing)
    assert "there is no video of 'gone' from 1 s to 11 s" in told
    assert "'xyz' has no label" in told
    assert "lonely_000001_000011.mp4 is in no annotation" in told
    assert "published validation part is the test part" in told


UCF = [
    f"{label}/v_{name}_g{group:02d}_c0{clip}.avi"
    for label, name in (("Archery", "Archery"), ("HandstandPushups", "HandStandPushups"))
    for group in range(1, 10)
    for clip in (1, 2)
]


def test_ucf101_keeps_its_lists_and_groups(tmp_path: Path) -> None:
    touch(tmp_path, *(f"UCF-101/{name}" for name in UCF))
    lists = tmp_path / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 Archery\n2 HandstandPushups\n")
    tested = [name for name in UCF if "_g01_" in name]
    trained = [name for name in UCF if name not in tested and "_g09_c02" not in name]
    (lists / "testlist01.txt").write_text("\n".join([*tested, "Archery/v_Archery_g77_c01.avi"]))
    (lists / "trainlist01.txt").write_text("\r\n".join(f"{name} 1" for name in trained))
    assert layout_of(tmp_path) == "ucf101"

    found = import_ucf101(tmp_path)

    rows = by_file(found.rows)
    assert len(rows) == len(UCF) - 2
    assert {row.label for row in rows.values()} == {"Archery", "HandstandPushups"}
    assert rows["UCF-101/Archery/v_Archery_g01_c02.avi"].split == "test"
    assert rows["UCF-101/Archery/v_Archery_g03_c02.avi"].group == "Archery_g03"
    held = {row.group for row in rows.values() if row.split == "validation"}
    assert {name.split("_")[0] for name in held} == {"Archery", "HandstandPushups"}
    assert held.isdisjoint({row.group for row in rows.values() if row.split != "validation"})
    told = "\n".join(found.missing)
    assert "v_Archery_g77_c01 is in a list, but there is no such video" in told
    assert "v_Archery_g09_c02.avi is in no list of fold 1" in told


def test_ucf101_without_lists_leaves_the_parts_open(tmp_path: Path) -> None:
    touch(tmp_path, *UCF)

    found = import_ucf101(tmp_path)

    assert len(found.rows) == len(UCF)
    assert {row.split for row in found.rows} == {""}
    assert "no lists of fold 1" in found.missing[0]


def test_folders_tell_what_lies_beside_them(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4", "b/deep/2.MKV", "b/notes.txt", "loose.mp4", ".hidden/3.mp4")
    assert layout_of(tmp_path) == "folders"

    found = import_folders(tmp_path)

    assert [(row.file, row.label) for row in found.rows] == [
        ("a/1.mp4", "a"),
        ("b/deep/2.MKV", "b"),
    ]
    assert found.missing == ["loose.mp4 lies beside the folders of classes"]


@pytest.mark.parametrize(
    ("files", "reader", "complaint"),
    [
        (["a/1.mp4"], import_folders, "at least two"),
        (["a/1.mp4", "b/x.txt"], import_folders, "class 'b' has no video"),
        (["1.mp4"], import_konvid, "no table of opinions"),
        (["1.mp4"], import_kinetics, "no annotations"),
        (["1.mp4"], import_ucf101, "no video of UCF101"),
    ],
)
def test_a_folder_of_another_layout_is_refused(
    files: list[str], reader: object, complaint: str, tmp_path: Path
) -> None:
    touch(tmp_path, *files)

    with pytest.raises(DataError, match=complaint):
        reader(tmp_path)  # type: ignore[operator]  # one of the importers


def test_there_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        layout_of(tmp_path / "nowhere")


def test_what_is_imported_can_be_written_and_read(tmp_path: Path) -> None:
    touch(tmp_path, *UCF)
    rows = import_ucf101(tmp_path).rows
    write_manifest(rows, tmp_path / "clips.csv")

    assert read_manifest(tmp_path / "clips.csv") == rows
