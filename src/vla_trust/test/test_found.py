# SPDX-License-Identifier: Apache-2.0
"""Faults that the fuzzer and the review found: each stays mended."""

import json
import pickle
import struct
import time
import zlib
from contextlib import suppress

import numpy as np
import pytest
import yaml
from vla_console.access import Access
from vla_console.commands import describe, read_command
from vla_core.config_file import find_config
from vla_core.robot import RobotConfigError, read_robot_config
from vla_core.urdf.tree import UrdfError, parse_urdf
from vla_perception.errors import ImageError
from vla_perception.image.decoding import decode_compressed
from vla_policy.action.presets import RT1
from vla_policy.action.space import ActionSpace
from vla_policy.errors import ActionSpaceError, ReplyError
from vla_policy.remote.codecs import pickles
from vla_policy.remote.codecs.arrays import actions_from, short
from vla_policy.rt1.config import LITE, ConfigError, RT1Config
from vla_policy.rt2.vocabulary import ActionVocabulary, VocabularyError
from vla_recorder.bag.bag import Recorded, Topic
from vla_recorder.bag.reader import open_bag
from vla_recorder.bag.writer import BagWriter
from vla_recorder.errors import RecordingError


def png(height: int, width: int) -> bytes:
    def part(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = part(b"IHDR", header) + part(b"IDAT", zlib.compress(bytes(19 * height))) + part(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize("size", [(20000, 6), (100_000_000, 6), (1, 2**31)])
def test_a_small_file_cannot_claim_a_very_large_picture(size) -> None:
    content = np.frombuffer(png(4, 6).replace(struct.pack(">II", 6, 4), struct.pack(">II", size[1], size[0])), np.uint8)
    begun = time.monotonic()
    with pytest.raises(ImageError):
        decode_compressed(content, "png")
    assert time.monotonic() - begun < 2.0


def test_jpeg_that_claims_a_very_large_picture_is_refused() -> None:
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 60000, 60000, 3) + bytes(9)
    content = b"\xff\xd8\xff\xe0" + struct.pack(">H", 16) + bytes(14) + frame + b"\xff\xda\x00\x02\xff\xd9"
    with pytest.raises(ImageError, match="60000 x 60000"):
        decode_compressed(np.frombuffer(content, np.uint8), "jpeg")


def test_nested_lists_that_share_parts_are_described_at_once() -> None:
    nested: list[object] = []
    for _ in range(60):
        nested = [nested, nested]
    begun = time.monotonic()
    with pytest.raises(ReplyError):
        pickles.load_actions(pickle.dumps(nested, 2))
    with pytest.raises(ReplyError):
        pickles.load_actions(pickle.dumps([nested], 2))
    assert len(short(nested)) < 120
    assert time.monotonic() - begun < 2.0


def test_whole_numbers_of_very_many_digits_are_refused() -> None:
    with pytest.raises(ReplyError):
        pickles.load_actions(pickle.dumps(10**5000, 2))
    with pytest.raises(ReplyError):
        actions_from([[10**5000]])
    assert short(10**5000)


@pytest.mark.parametrize("host", ["[", "[::1", "a]b", "[v1.x]:80"])
def test_host_header_with_brackets_is_refused(host) -> None:
    assert "valid" in Access((), (), True).refusal(host, None)
    assert "valid" in Access((), (), True).refusal(host, f"http://{host}")


def robot() -> dict:
    return yaml.safe_load(find_config("robots", "robot", "fr3").read_text())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data["collision"]["shapes"][0].update(radius=float("inf")),
        lambda data: data["collision"].update(margin=float("nan")),
        lambda data: data["gripper"].update(max_width=float("inf")),
        lambda data: data["tool_speed"].update(linear=float("nan")),
        lambda data: data.update(joints=[]),
        lambda data: data.update(joints=[data["joints"][0]] * 7),
        lambda data: data.update(collision=[1]),
        lambda data: data.update(limits=None),
        lambda data: data.update(tool_speed=[3]),
        lambda data: data["gripper"].update(speed=10**400),
    ],
)
def test_robot_files_with_impossible_numbers_are_refused(spoil, tmp_path) -> None:
    data = robot()
    data.setdefault("tool_speed", {"linear": 0.5, "angular": 2.0})
    read_robot_config(data, tmp_path)
    spoil(data)
    with pytest.raises(RobotConfigError):
        read_robot_config(data, tmp_path)


def test_urdf_with_characters_outside_unicode_is_refused() -> None:
    with pytest.raises(UrdfError):
        parse_urdf('<robot name="\ud800"><link name="a"/></robot>')


@pytest.mark.parametrize("key", ["proprio", "image_size", "picture_size", "history", "backbone", "d_model"])
@pytest.mark.parametrize("value", [None, 3, True, 0.5, [], {}, "x", 10**400])
def test_rt1_config_is_read_or_refused(key, value) -> None:
    read: list[RT1Config] = []
    with suppress(ConfigError):
        read.append(RT1Config.from_json({**LITE.to_json(), key: value}))
    assert all(isinstance(config, RT1Config) for config in read)


def test_rt1_config_that_is_no_object_is_refused() -> None:
    with pytest.raises(ConfigError, match="valid is an object"):
        RT1Config.from_json([1])  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", [{}, [], None, 3])
def test_vocabulary_with_another_strategy_is_refused(strategy) -> None:
    with pytest.raises(VocabularyError, match="strategy"):
        ActionVocabulary.from_dict({"strategy": strategy, "ids": [1, 2]})


@pytest.mark.parametrize("number", [10**400, -(10**400)])
def test_action_space_with_numbers_beyond_floats_is_refused(number) -> None:
    plain = json.loads(json.dumps(RT1.to_dict()))
    plain["dimensions"][0]["high"] = number
    with pytest.raises(ActionSpaceError, match="too large"):
        ActionSpace.from_dict(plain)


def test_bag_whose_custom_data_is_a_text_is_refused(tmp_path) -> None:
    folder = tmp_path / "episode_000000"
    writer = BagWriter(folder, {"task": "t"}, "jazzy")
    writer.write(Recorded(Topic("/said", "std_msgs/msg/String", "string data", "", ()), 1, 1, b"\0" * 9))
    writer.close({})
    path = folder / "metadata.yaml"
    content = yaml.safe_load(path.read_text())
    content["rosbag2_bagfile_information"]["custom_data"] = "text"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(RecordingError, match="damaged"):
        open_bag(folder)


def test_token_is_in_no_description_of_a_message() -> None:
    command, _ = read_command('{"do": "hello", "token": "0123456789abcdef"}')
    assert describe(command) == "hello"


def test_bag_with_a_damaged_chunk_is_refused_by_name(tmp_path) -> None:
    folder = tmp_path / "episode_000000"
    writer = BagWriter(folder, {"task": "t"}, "jazzy")
    topic = Topic("/said", "std_msgs/msg/String", "string data", "", ())
    for number in range(50):
        writer.write(Recorded(topic, number, number, struct.pack("<BBHI", 0, 1, 0, 3) + b"ab\0"))
    writer.close({})
    path = next(folder.glob("*.mcap"))
    whole, refused, read = path.read_bytes(), 0, 0
    for place in range(60, len(whole) - 60, 17):
        path.write_bytes(whole[:place] + b"\xff" * 8 + whole[place + 8 :])
        before = read
        with suppress(RecordingError):
            assert len(list(open_bag(folder).messages(["/said"]))) <= 50
            read += 1
        refused += read == before
    assert refused > 3
