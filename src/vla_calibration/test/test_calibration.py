# SPDX-License-Identifier: Apache-2.0
"""Calibration against the simulator's true camera pose, from pictures of a drawn board; what is refused, and why."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image
from scipy.spatial.transform import Rotation
from vla_calibration.board import Board
from vla_calibration.collecting import NEW_TURN, STILL_FOR, Collector
from vla_calibration.command import main
from vla_calibration.errors import CalibrationError
from vla_calibration.folder import Writer, read_folder, tool_pose
from vla_calibration.intrinsics import Intrinsics, intrinsics_yaml, read_intrinsics
from vla_calibration.solve import Mount, Sample, closed_form, solve

sys.path.insert(0, str(Path(__file__).parent))
from calibration_scene import BOARD, HEIGHT, WIDTH, Bench


@pytest.fixture(scope="module", params=list(Mount), ids=lambda mount: mount.value)
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(request.param)


@pytest.fixture(scope="module")
def fixed() -> Bench:
    return Bench(Mount.FIXED)


def off(found: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Distance [mm] and angle [deg]."""
    turn = Rotation.from_matrix(found[:3, :3].T @ truth[:3, :3]).magnitude()
    return 1000.0 * float(np.linalg.norm(found[:3, 3] - truth[:3, 3])), float(np.rad2deg(turn))


def write(bench: Bench, folder: Path, postures: list[np.ndarray]) -> Path:
    writer = Writer(folder, BOARD)
    for q in postures:
        writer.add(bench.picture(q), dict(zip(bench.config.joints, q.tolist(), strict=True)), bench.camera)
    return folder


def test_the_camera_is_found_where_the_simulator_has_it(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Within 2 mm and 0.3 deg, through files and the command, and the file says so in the frames of tf."""
    folder, out = write(bench, tmp_path / "views", bench.postures(15)), tmp_path / "transform.yaml"
    assert main(["solve", str(folder), "--mount", bench.mount.value, "--out", str(out)]) == 0
    samples, refused, board, camera = read_folder(folder, bench.config)
    assert not refused
    found = solve(samples, board, camera, bench.mount)
    millimetres, degrees = off(found.camera, bench.truth)
    assert millimetres < 2.0
    assert degrees < 0.3
    assert found.error_px < 0.5
    assert found.error_mm < 1.0
    data = yaml.safe_load(out.read_text(encoding="utf-8"))
    seen = bench.world.data.camera("front" if bench.mount is Mount.FIXED else "wrist").xpos
    link = np.eye(4)
    if bench.mount is Mount.HAND:  # the parent is the link that carries the tool
        link = tool_pose(bench.kinematics, bench.config.home)
        link[:3, 3] -= link[:3, :3] @ bench.config.model.tcp_position
    np.testing.assert_allclose((link @ [*data["translation"], 1.0])[:3], seen, atol=2e-3)
    assert data["parent_frame"] == ("fr3_link0" if bench.mount is Mount.FIXED else "hand")
    assert f"--frame-id {data['parent_frame']}" in capsys.readouterr().out


def test_the_closed_form_is_exact_without_noise(bench: Bench) -> None:
    postures = bench.postures(8)
    tools = [tool_pose(bench.kinematics, q) for q in postures]
    frames = tools if bench.mount is Mount.FIXED else [np.linalg.inv(tool) for tool in tools]
    camera, board = closed_form(frames, [bench.look(q) for q in postures])
    np.testing.assert_allclose(camera, bench.truth, atol=1e-6)
    np.testing.assert_allclose(board, bench.board, atol=1e-6)


def test_the_error_that_is_stated_is_of_the_size_of_the_true_one(fixed: Bench) -> None:
    samples = [
        Sample("", tool_pose(fixed.kinematics, q), BOARD.detect(fixed.picture(q, noise=12.0), fixed.camera))
        for q in fixed.postures(12)
    ]
    found = solve(samples, BOARD, fixed.camera, fixed.mount)
    assert off(found.camera, fixed.truth)[0] < 6.0 * found.sigma_mm + 0.5


def test_too_few_pictures_and_poses_that_are_alike_are_refused(fixed: Bench) -> None:
    q = fixed.postures(1)[0]
    seen = BOARD.detect(fixed.picture(q), fixed.camera)
    few = [Sample("", tool_pose(fixed.kinematics, q), seen)] * 5
    with pytest.raises(CalibrationError, match="5 usable pictures; valid: at least 8"):
        solve(few, BOARD, fixed.camera, fixed.mount)
    with pytest.raises(CalibrationError, match=r"too alike.*Tilt the hand"):
        solve(few * 3, BOARD, fixed.camera, fixed.mount)
    spun = []
    for angle in np.linspace(-0.8, 0.8, 12):  # about the hand's axis alone
        turned = q.copy()
        turned[6] = np.clip(turned[6] + angle, -2.6, 2.6)
        spun.append(Sample("", tool_pose(fixed.kinematics, turned), seen))
    with pytest.raises(CalibrationError, match="too alike"):
        solve(spun, BOARD, fixed.camera, fixed.mount)


def test_a_board_half_out_of_the_picture_is_refused(fixed: Bench) -> None:
    picture = fixed.picture(fixed.config.home)
    seen = BOARD.detect(picture, fixed.camera)
    middle = int(seen.pixels[:, 0].mean()) - 10
    half = np.full_like(picture, 120)
    half[:, : WIDTH - middle] = picture[:, middle:]
    with pytest.raises(CalibrationError, match=r"\d+ of 24 corners.*whole board in the picture"):
        BOARD.detect(half, fixed.camera)
    with pytest.raises(CalibrationError, match="0 of 24 corners"):
        BOARD.detect(np.full_like(picture, 120), fixed.camera)
    with pytest.raises(CalibrationError, match="is 320 x 240, the intrinsics are for 640 x 480"):
        BOARD.detect(picture[::2, ::2], fixed.camera)


def test_a_folder_names_the_pictures_that_are_not_used(
    fixed: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(fixed, tmp_path / "views", fixed.postures(3))
    Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90)).save(folder / "view_01.png")
    (folder / "view_02.png").write_bytes(b"no picture")
    assert main(["solve", str(folder)]) == 2
    said = capsys.readouterr().err
    assert "view_01.png: 0 of 24 corners" in said
    assert "view_02.png: cannot be read" in said
    assert "1 usable pictures; valid: at least 8" in said
    with pytest.raises(CalibrationError, match="holds samples already"):
        Writer(folder, BOARD)
    (folder / "joints.yaml").write_text("view_00.png: {elbow: 1.0}", encoding="utf-8")
    _, refused, _, _ = read_folder(folder, fixed.config)
    assert "has no joints ['fr3_joint1'" in refused[0]
    assert main(["solve", str(tmp_path / "nowhere")]) == 2
    assert "cannot read the camera's intrinsics" in capsys.readouterr().err


def test_a_printed_page_has_the_board_at_its_true_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "board.png"
    assert main(["board", "--out", str(out)]) == 0
    assert "245.0 x 175.0 mm" in capsys.readouterr().out
    with Image.open(out) as page:
        dots = float(page.info["dpi"][0]) / 25.4  # a millimetre
        grey = np.asarray(page)
    dark = np.argwhere(grey < 128)
    height, width = (dark.max(axis=0) - dark.min(axis=0) + 1) / dots
    assert width == pytest.approx(245.0, abs=0.5)
    assert height == pytest.approx(175.0, abs=0.5)
    corners, ids, _, _ = BOARD.detector.detectBoard(cv2.resize(grey, None, fx=0.3, fy=0.3))
    assert ids is not None
    assert len(corners) == 24
    assert main(["board", "--out", str(tmp_path / "board.pdf")]) == 0
    assert (tmp_path / "board.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--columns", "2"], "2 x 5 squares is not valid"),
        (["--square-mm", "60"], "does not fit on A4"),
        (["--marker-mm", "35"], "does not fit into a square"),
        (["--out", "board.svg"], r"board.svg is not valid; .pdf or .png is"),
    ],
)
def test_a_board_that_cannot_be_printed_is_refused(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["board", *words]) == 2
    assert reason in capsys.readouterr().err


def test_intrinsics_survive_their_file_and_zeros_are_refused(fixed: Bench, tmp_path: Path) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text(intrinsics_yaml(fixed.camera), encoding="utf-8")
    np.testing.assert_allclose(read_intrinsics(path).matrix, fixed.camera.matrix)
    with pytest.raises(CalibrationError, match="fx and fy above 0"):
        Intrinsics(WIDTH, HEIGHT, np.zeros((3, 3)), np.zeros(5))


def test_pictures_are_taken_of_a_standing_arm_in_new_poses(fixed: Bench, tmp_path: Path) -> None:
    collector = Collector(fixed.config, Board(), Writer(tmp_path / "views", Board()))
    q = fixed.config.home
    picture = fixed.picture(q)
    assert collector.picture(0.0, picture, fixed.camera) == "waiting for joint states"

    def stand(joints: np.ndarray, stamp: float) -> None:
        collector.joints(stamp, dict(zip(fixed.config.joints, joints, strict=True)))

    collector.joints(0.0, {"other": 1.0})
    stand(q, 0.0)
    assert "let it stand" in collector.picture(0.5 * STILL_FOR, picture, fixed.camera)
    assert collector.picture(STILL_FOR, picture, fixed.camera) == "picture 1 taken"
    assert "move on" in collector.picture(2.0, picture, fixed.camera)
    turned = q + np.array([0, 0, 0, 0, 0, 0, 1.5 * NEW_TURN])
    stand(turned, 2.0)
    assert "let it stand" in collector.picture(2.1, picture, fixed.camera)
    assert "0 of 24 corners" in collector.picture(4.0, np.full_like(picture, 50), fixed.camera)
    assert collector.picture(4.1, fixed.picture(turned), fixed.camera) == "picture 2 taken"
    assert collector.count == 2
