# SPDX-License-Identifier: Apache-2.0
"""Bags: what is written is read back bit for bit; what a killed recorder or a full disk leaves."""

import struct
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from vla_recorder.bag.bag import Recorded, Topic
from vla_recorder.bag.definition import message_definition
from vla_recorder.bag.reader import find_bags, open_bag
from vla_recorder.bag.recovery import recover
from vla_recorder.bag.writer import BagWriter
from vla_recorder.errors import RecordingError

QOS = ({"history": "keep_last", "depth": 1, "reliability": "best_effort"},)
TEXT = Topic("/said", "std_msgs/msg/String", "string data", "RIHS01_0", QOS)
NUMBER = Topic("/counted", "std_msgs/msg/Int64", "int64 data")


def said(text: str, log_ns: int) -> Recorded:
    data = text.encode() + b"\0"
    return Recorded(TEXT, log_ns, log_ns - 5, struct.pack("<BBHI", 0, 1, 0, len(data)) + data)


def counted(value: int, log_ns: int) -> Recorded:
    return Recorded(NUMBER, log_ns, log_ns, struct.pack("<BBHq", 0, 1, 0, value))


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(5, 2**62), st.one_of(st.text("abc \u00e4"), st.integers(-(2**63), 2**63 - 1))), min_size=1
    )
)
def test_what_is_written_is_read_back(tmp_path_factory, rows) -> None:
    folder = tmp_path_factory.mktemp("bags") / "episode_000000"
    writer = BagWriter(folder, {"task": "t"}, "jazzy")
    messages = [said(v, t) if isinstance(v, str) else counted(v, t) for t, v in rows]
    for message in messages:
        writer.write(message)
    writer.close({"success": "true"})
    bag = open_bag(folder)
    assert bag.custom == {"task": "t", "success": "true"}
    assert (bag.start_ns, bag.duration_ns) == (
        min(t for t, _ in rows),
        max(t for t, _ in rows) - min(t for t, _ in rows),
    )
    found = [(m.log_ns, m.content.data) for m in bag.messages(["/said", "/counted"])]
    assert sorted(found, key=repr) == sorted(rows, key=repr)
    with bag.files[0].open("rb") as file:  # the bytes themselves
        stored = sorted(message.data for _, _, message in make_reader(file).iter_messages())
    assert stored == sorted(message.data for message in messages)


def test_a_bag_has_the_profile_and_the_metadata_of_rosbag2(tmp_path: Path) -> None:
    writer = BagWriter(tmp_path / "a", {})
    writer.write(said("x", 7))
    writer.close({})
    with (tmp_path / "a" / "a_0.mcap").open("rb") as file:
        reader = make_reader(file)
        assert reader.get_header().profile == "ros2"
        summary = reader.get_summary()
    (channel,) = summary.channels.values()
    (schema,) = summary.schemas.values()
    assert (channel.message_encoding, schema.encoding, schema.name) == ("cdr", "ros2msg", "std_msgs/msg/String")
    assert yaml.safe_load(channel.metadata["offered_qos_profiles"]) == list(QOS)
    assert channel.metadata["topic_type_hash"] == "RIHS01_0"
    about = yaml.safe_load((tmp_path / "a" / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert (about["storage_identifier"], about["relative_file_paths"]) == ("mcap", ["a_0.mcap"])
    assert about["topics_with_message_count"][0]["message_count"] == about["message_count"] == 1


def test_a_bag_is_never_written_over(tmp_path: Path) -> None:
    BagWriter(tmp_path / "a", {}).close({})
    with pytest.raises(FileExistsError):
        BagWriter(tmp_path / "a", {})


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 400), st.integers(1, 9))
def test_of_a_cut_file_every_flushed_message_is_recovered(tmp_path_factory, lost: int, flushed: int) -> None:
    folder = tmp_path_factory.mktemp("bags") / "a"
    writer = BagWriter(folder, {"task": "t"})
    for number in range(flushed):
        writer.write(counted(number, number))
    writer.flush()
    whole = (folder / "a_0.mcap").stat().st_size
    writer.write(counted(99, 99))
    writer.flush()
    writer.abandon()
    path = folder / "a_0.mcap"
    path.write_bytes(path.read_bytes()[: max(whole, path.stat().st_size - lost)])
    totals = recover(folder)
    bag = open_bag(folder)
    values = [message.content.data for message in bag.messages(["/counted"])]
    assert values[:flushed] == list(range(flushed))
    assert totals.messages == len(values) <= flushed + 1
    assert bag.custom == {"task": "t", "recovered": "true"}
    assert (folder / "a_0.mcap.cut").is_file()


def test_what_is_no_bag_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no bag at"):
        open_bag(tmp_path / "none")
    with pytest.raises(RecordingError, match="no bag in"):
        find_bags(tmp_path)
    (tmp_path / "a").mkdir()
    with pytest.raises(RecordingError, match="recover"):
        open_bag(tmp_path / "a")
    with pytest.raises(RecordingError, match=r"0 \.mcap files"):
        recover(tmp_path / "a")
    (tmp_path / "a" / "a_0.mcap").write_bytes(b"\x89MCAP0\r\n")
    with pytest.raises(RecordingError, match="no whole message"):
        recover(tmp_path / "a")
    (tmp_path / "a" / "metadata.yaml").write_text("a: [")
    with pytest.raises(RecordingError, match="damaged"):
        open_bag(tmp_path / "a")
    with pytest.raises(RecordingError, match="nothing to recover"):
        recover(tmp_path / "a")
    writer = BagWriter(tmp_path / "b", {})
    writer.write(said("x", 7))
    writer.close({})
    (tmp_path / "b" / "b_0.mcap").write_bytes((tmp_path / "b" / "b_0.mcap").read_bytes()[:-40])
    with pytest.raises(RecordingError, match="missing or damaged"):
        list(open_bag(tmp_path / "b").messages(["/said"]))


def test_a_definition_has_the_types_of_its_fields(tmp_path: Path) -> None:
    texts = {
        "a/msg/Outer": "# Inner x\nuint8 KIND=1\nInner[] inner  # two\nb/Other other\nstring<=5 name\nfloat64[3] n\n",
        "a/msg/Inner": "int32 x\nb/Other y\n",
        "b/msg/Other": "bool ok",
    }
    for name, text in texts.items():
        path = tmp_path / f"{name}.msg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    definition = message_definition("a/msg/Outer", lambda package: tmp_path / package)
    parts = definition.split("=" * 80)
    assert [part.strip().splitlines()[0] for part in parts[1:]] == ["MSG: a/Inner", "MSG: b/Other"]
    with pytest.raises(RecordingError, match="no definition of a/msg/Nothing"):
        message_definition("a/msg/Nothing", lambda package: tmp_path / package)
    with pytest.raises(RecordingError, match="no message"):
        message_definition("a/srv/Ask", lambda package: tmp_path / package)
