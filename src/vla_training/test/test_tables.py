# SPDX-License-Identifier: Apache-2.0
"""`vla eval tables`: cells as data, the same tables in every cell, a log that a stop does not lose, other forms."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference
from vla_core.config_file import config_names
from vla_policy.loading import policy_settings
from vla_policy.policy import Observation, Policy
from vla_sim.world.layout import sample_layout, sample_task
from vla_sim.world.robots import ROBOTS, get_robot
from vla_sim.world.things import HELD_OUT_THINGS, OCCLUDER, TRAINED_THINGS
from vla_training.evaluate import policy_driver
from vla_training.evaluate.tables import command
from vla_training.evaluate.tables.cells import FOLDER, Cell, TableError, Things, load_table, load_tables
from vla_training.evaluate.tables.command import ROUND, plan
from vla_training.evaluate.tables.log import Log
from vla_training.evaluate.tables.report import lerobot_form, summarise, vla_eval_form
from vla_training.evaluate.tables.runner import Row, TableRunner, TableSettings
from vla_training.evaluate.tables.sheet import FRAMES, Sheet
from vla_training.evaluate.tables.stage import draw_stage

from vla_training import cli

FR3 = get_robot("fr3")
CONDITIONS = {"policy": "rt1", "robot": "fr3", "checkpoint": "", "seed": 7}
SHIPPED = ("rt1_table2", "rt2_table4", "rt2_table5")


def table_file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def row(cell: str = "c", index: int = 0, success: bool = True) -> Row:
    return Row(cell, index, "pick", "pick up the red block", success, 4.5, 20, True, sheet="" if success else "s.png")


@pytest.mark.parametrize("robot", ROBOTS)
def test_every_cell_of_every_table_that_ships_can_be_laid(robot):
    for table in load_tables([]):
        for name, cell in table.cells.items():
            for index in range(4):
                stage = draw_stage(cell, get_robot(robot), 7, index)
                assert stage.task.object in stage.layout.objects, (table.name, name)
                assert "{" not in stage.text


def test_the_tables_of_both_papers_ship():
    assert set(SHIPPED) <= set(config_names(FOLDER))


def test_the_plain_cell_is_the_evaluation_that_the_cards_report():
    for index in range(6):
        rng = np.random.default_rng([7, index])
        stage = draw_stage(Cell(), FR3, 7, index)
        task = sample_task(rng, stage.task.family)
        assert stage.task == task
        assert stage.layout == sample_layout(FR3, task, rng)
        assert stage.text == task.text()
        assert stage.dressing.plain


def test_what_lies_beside_the_task_changes_neither_task_nor_its_objects():
    plain = [draw_stage(Cell(), FR3, 7, index) for index in range(8)]
    cells = [Cell(things=Things((2, 4), "trained")), Cell(paints=("orange",)), Cell(called={"left": ("links",)})]
    for cell in cells:
        for index, before in enumerate(plain):
            stage = draw_stage(cell, FR3, 7, index)
            assert stage.task == before.task
            assert before.layout.objects.items() <= stage.layout.objects.items()


def test_the_same_seed_gives_the_same_stage_and_another_one_another():
    cell = load_table("rt1_table2").cells["distractors hard"]
    assert draw_stage(cell, FR3, 3, 1) == draw_stage(cell, FR3, 3, 1)
    assert draw_stage(cell, FR3, 3, 1) != draw_stage(cell, FR3, 4, 1)


@pytest.mark.parametrize(("kind", "names"), [("trained", TRAINED_THINGS), ("held_out", HELD_OUT_THINGS)])
def test_things_are_of_their_kind_and_of_their_number(kind, names):
    for index in range(8):
        things = draw_stage(Cell(things=Things((2, 4), kind)), FR3, 7, index).dressing.things
        assert set(things) <= set(names) - {OCCLUDER}
        assert 2 <= len(things) <= 4


def test_the_text_names_a_block_as_it_looks_or_as_the_cell_says():
    painted = draw_stage(Cell(families=("place",), paints=("orange",)), FR3, 7, 0)
    assert painted.text == "put the orange block in the bowl"
    block = painted.task.object
    called = draw_stage(Cell(families=("place",), called={block: ("lemon",), "bowl": ("bol",)}), FR3, 7, 0)
    assert called.text == "put the lemon in the bol"
    marked = draw_stage(Cell(families=("pick",), marks={"3": ("block marked 3",)}), FR3, 7, 0)
    assert marked.text == "pick up the block marked 3"
    marks = marked.dressing.marks
    assert marks[marked.task.object] == "3"
    assert max(Counter(marks.values()).values()) == 1


def test_cells_that_are_alike_are_run_once_and_a_stop_leaves_each_with_about_as_many():
    tables = load_tables(["rt1_table2", "rt2_table4"])
    digests = {cell.digest for table in tables for cell in table.cells.values()}
    assert len(digests) == sum(len(table.cells) for table in tables) - 1  # seen is in both
    items = plan(tables, 6, set())
    assert len(items) == len(set(items)) == 6 * len(digests)
    first = Counter(digest for digest, _ in items[: ROUND * len(digests)])
    assert set(first.values()) == {ROUND}
    assert plan(tables, 6, set(items[:-3])) == items[-3:]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "a table has a title and cells"),
        ("cells: {}", "a table has a title and cells"),
        ("cells: {a: {colour: [red]}}", "cell 'a': unknown entry 'colour'; valid: families, instructions"),
        ("cells: {a: {paints: [mauve]}}", "cell 'a': unknown paint 'mauve'; valid: orange"),
        ("cells: {a: {shapes: cube}}", "cell 'a': 'cube' is not a list of texts"),
        ("cells: {a: {families: [fold]}}", "unknown family 'fold'; valid: pick, place, near, push"),
        ("cells: {a: {things: {count: [3, 2]}}}", "count of things is 3 to 2"),
        ("cells: {a: {things: {count: [0, 99]}}}", "valid: 0 to 18"),
        ("cells: {a: {things: {kind: new}}}", "unknown kind of things 'new'; valid: trained, held_out, any"),
        ("cells: {a: {instructions: gone.yaml}}", "cell 'a': cannot read the instructions file"),
        ("{cells: {a: {}}, paper: {RT-1: {b: 3}}}", "rate is of 'b'; valid: a"),
        ("cells: {a: [", "cannot read the table"),
    ],
)
def test_a_faulty_table_is_refused_with_its_cell_and_what_is_valid(tmp_path, text, said):
    with pytest.raises(ValueError, match=".*".join(map(str, said.split("|")))):
        load_table(table_file(tmp_path, text))


def test_an_unknown_table_is_refused_on_the_command_line_with_those_that_ship(capsys):
    assert cli.main(["eval", "tables", "--tables", "rt9"]) == cli.REFUSED
    assert "unknown table 'rt9'; valid: " in capsys.readouterr().err


def test_a_policy_that_is_unknown_is_refused_and_leaves_no_report(tmp_path, capsys):
    words = ["eval", "tables", "--policy", "rt9", "--out", str(tmp_path / "t.json"), "--tables", "rt1_table2"]
    assert cli.main(words) == cli.REFUSED
    assert "policy 'rt9' is unknown; valid are" in capsys.readouterr().err
    assert not (tmp_path / "t.json").exists()


def test_the_log_keeps_what_is_done_and_drops_a_line_that_was_cut_short(tmp_path):
    path = tmp_path / "t.jsonl"
    log = Log(path, CONDITIONS)
    log.add(row(index=0))
    log.add(row(index=1, success=False))
    path.write_bytes(path.read_bytes() + b'{"cell": "c", "ind')
    again = Log(path, CONDITIONS)
    assert [each.success for each in again.rows.values()] == [True, False]
    again.add(row(index=2))
    assert len(Log(path, CONDITIONS).rows) == 3


def test_a_log_of_other_conditions_is_kept_and_refused(tmp_path):
    path = tmp_path / "t.jsonl"
    Log(path, CONDITIONS).add(row())
    before = path.read_bytes()
    with pytest.raises(TableError, match=r"seed 7, not 8.*--fresh discards it"):
        Log(path, {**CONDITIONS, "seed": 8})
    assert path.read_bytes() == before
    assert not Log(path, {**CONDITIONS, "seed": 8}, fresh=True).rows


@pytest.mark.parametrize("text", ["no json\n", '{"some": "thing"}\n', json.dumps(CONDITIONS) + '\n{"cell": 1}\n'])
def test_another_file_is_no_log(tmp_path, text):
    path = tmp_path / "t.jsonl"
    path.write_text(text)
    with pytest.raises(TableError, match="is no log of"):
        Log(path, CONDITIONS)


class Quick:
    """Stands for TableRunner: succeeds at once, and is stopped at its fourth episode."""

    stop_at = 4

    def __init__(self, settings, cells, items):
        self._items = items

    def run(self, number: int) -> Row:
        if number + 1 == Quick.stop_at:
            raise KeyboardInterrupt
        return row(*self._items[number])

    def close(self) -> None:
        pass


def test_an_evaluation_that_is_stopped_reports_what_it_has_and_continues(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "TableRunner", Quick)
    own = table_file(tmp_path, "cells: {seen: {}, orange: {paints: [orange]}}")
    words = ["--tables", own, "--episodes", "4", "--out", str(tmp_path / "t.json"), "--policy", "expert"]
    with pytest.raises(KeyboardInterrupt):
        command.main(words)
    report = json.loads((tmp_path / "t.json").read_text())
    assert [cell["episodes_run"] for cell in report["tables"]["own"]["cells"].values()] == [3, 0]
    monkeypatch.setattr(Quick, "stop_at", 99)
    assert command.main(words) == 0
    assert "3 episodes are done, 5 are left" in capsys.readouterr().out
    report = json.loads((tmp_path / "t.json").read_text())
    assert [cell["episodes_run"] for cell in report["tables"]["own"]["cells"].values()] == [4, 4]
    assert (tmp_path / "t.png").stat().st_size > 5000
    assert {"t.lerobot.json", "t.vla_eval.json"} <= {path.name for path in tmp_path.iterdir()}


@pytest.fixture
def report(tmp_path):
    table = load_table(
        table_file(tmp_path, "{title: Own, cells: {a: {}, b: {paints: [pink]}}, paper: {RT-1: {a: 97}}}")
    )
    digest = table.cells["a"].digest
    rows = [row(digest, 1, success=False), row(digest, 0)]
    return summarise(CONDITIONS, [table], rows)


def test_the_report_has_rates_with_intervals_and_what_was_not_run(report):
    a, b = report["tables"]["own"]["cells"].values()
    assert a["success_rate"] == 0.5
    assert a["interval_95"] == [0.0945, 0.9055]
    assert [each["index"] for each in a["episodes"]] == [0, 1]
    assert b["success_rate"] is None
    assert report["tables"]["own"]["paper"] == {"RT-1": {"a": 97.0}}


def test_the_form_of_lerobot_eval(report):
    form = lerobot_form(report)
    assert set(form) == {"per_task", "per_group", "overall"}
    assert form["per_task"][0]["metrics"]["successes"] == [True, False]
    assert form["per_group"]["own"]["pc_success"] == form["overall"]["pc_success"] == 50.0
    assert form["overall"]["n_episodes"] == 2


def test_the_form_of_vla_eval(report):
    form = vla_eval_form(report)
    assert (form["mean_success"], form["seed"], form["num_episodes_total"]) == (0.5, 7, 2)
    task = form["tasks"][0]
    assert (task["task"], task["num_episodes"], task["mean_success"]) == ("own/a", 2, 0.5)
    assert {"episode_id", "metrics", "steps", "elapsed_sec"} <= set(task["episodes"][0])


class Idle(Policy):
    """Looks and does nothing."""

    name = "idle"

    def reset(self, instruction: str) -> None:
        self.told = instruction

    def infer(self, observation: Observation) -> ActionChunk:
        step = ActionStep(translation=np.zeros(3))
        return ActionChunk(observation.stamp, ActionMode.EE_DELTA, DeltaReference.OBSERVED, 0.2, (step,))


def test_a_failed_episode_leaves_a_contact_sheet_of_what_the_policy_saw(tmp_path, monkeypatch):
    idle = Idle()
    monkeypatch.setattr(policy_driver, "load_policy", lambda settings: idle)
    cells = {"plain": Cell(families=("pick",)), "cup": Cell(families=("pick",), things=Things((3, 3), "trained"))}
    settings = TableSettings(policy_settings("idle", "fr3"), failures=tmp_path, time_limit=1.0)
    runner = TableRunner(settings, cells, [("plain", 0), ("cup", 0), ("plain", 0)])
    rows = [runner.run(number) for number in range(3)]
    runner.close()
    assert not any(each.success for each in rows)
    assert rows[0] == rows[2]
    assert idle.told == rows[0].instruction
    sheets = [(tmp_path / each.sheet).read_bytes() for each in rows]
    assert sheets[0] == sheets[2] != sheets[1]


@pytest.mark.parametrize("count", [1, 5, 12, 30, 151])
def test_a_sheet_shows_the_first_picture_and_late_ones(count):
    sheet = Sheet()
    for number in range(count):
        sheet.add(np.full((8, 8, 3), number, dtype=np.uint8))
    shown = np.unique(sheet.picture("title")[24::8, ::8, 0])
    assert 0 in shown
    assert shown.max() >= 0.85 * (count - 1)
    assert len(shown) <= FRAMES + 2
