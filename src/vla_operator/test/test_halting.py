# SPDX-License-Identifier: Apache-2.0
"""Which utterances halt the robot, in which language, and which are tasks although they hold a halt word."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_core.settings import SettingsError
from vla_operator.halting import BUILT_IN, HaltDetector
from vla_operator.words import SUBJECTS, HaltWords, built_in, with_site_words

HALTS = [
    # field case 09, and what people say beside it
    "no, stop", "No! Stop!", "no stop", "stop for a moment", "Stop. Thank you.", "Stopp.", "hold on", "don't move",
    "don’t move", "Do not move!", "wait", "Wait, wait, wait!", "please wait a second", "stop stop stop", "STOOOOP",
    "whoa", "pause", "Freeze!", "e-stop", "hold it right there", "stop it", "stop that", "stop what you are doing",
    "stop right now please", "ok stop", "okay, that's enough", "I said stop", "I said: stop!", "can you stop",
    "can't you stop", "could you please stop", "why don't you stop", "you need to stop", "no no no", "No.", "hold",
    "enough", "hold still", "stand still", "stop the robot", "stop moving", "robot, stop", "stop, robot", "cancel",
    "cancel that", "cancel the red block", "abort the mission", "watch out", "stop at the bowl",
    "stop and pick up the red block", "pick up the red block, no, stop", "pick up the red block. Stop!",
    "go left. stop", "never mind, stop", "never mind stop", "don't! stop!", "don't stop. Stop!", "don't, stop",
    "leave it and stop", "come on and stop", "ok and stop", "go on and stop",
    "push the block to the left, then stop", "stop sign", "stop button!", "stop, sign here", "s-t-o-p", "S.T.O.P.",
    "sotp", "stpo", "hlat", "step", "stop\n", "sto\u200bp", "ｓｔｏｐ", "stop \U0001f6d1", "¡alto!", "stop-stop",
    "stop/halt", "stop_now", "thanks, you can stop now", "until I say stop",
    # other languages
    "alto", "Para.", "¡Detente ahora!", "espera un momento", "no te muevas", "停止", "请停止", "停!", "停下来",
    "别动", "等一下", "急停", "arrêtez", "Arrete!", "arrête-toi", "ARRÊTEZ TOUT DE SUITE", "ne bouge plus",
    "attendez s’il vous plaît", "Halt!", "anhalten", "hör auf", "Bitte anhalten.", "warte mal", "nicht bewegen",
    "Nein!", "stehen bleiben", "fermati", "basta", "pare", "espere", "wacht even", "stopp nå", "stój", "STOJ",
    "стой", "Стоп!", "остановись, пожалуйста", "подождите", "止まれ", "とまって", "ストップ!", "待って", "멈춰",
    "정지!", "그만해", "توقف", "قف!", "עצור", "रुको", "dur", "dừng lại", "หยุด", "berhenti", "στοπ",
    "zatrzymaj się",
]  # fmt: skip
TASKS = [
    "don't stop", "Don’t stop!", "do not stop", "don't ever stop", "never stop", "never ever stop", "non-stop",
    "Nonstop please", "you don't have to stop", "pick up the stop sign", "push the stop button",
    "stop sign next to the bowl", "move the block to the halt sign", "pick up the stop lamp",
    "pick up the red block and stop", "pick up the red block and then stop", "move left and stop",
    "nimm den roten Block und dann stopp", "pick up the red block", "put the block in the freezer",
    "hold the red block", "no problem, pick up the red block", "unstoppable", "file the estoppel", "the robot",
    "please", "easy does it with the red block", "抓住红色方块", "不要停", "别停", "把停止标志拿起来", "🤖 dance",
    "nicht anhalten", "n'arrête pas", "pick up the bus stopper", "lege den Block in die Schale",
    "pose le bloc dans le bol", "pon el bloque en el cuenco",
]  # fmt: skip


@pytest.mark.parametrize("text", HALTS)
def test_halts(text: str) -> None:
    assert BUILT_IN.means_halt(text)


@pytest.mark.parametrize("text", TASKS)
def test_does_not_halt(text: str) -> None:
    assert not BUILT_IN.means_halt(text)


def in_sentences() -> list[str]:
    """Every built-in halt word that is not used in tasks."""
    return sorted(set(built_in().halt))


@pytest.mark.parametrize("word", in_sentences())
def test_every_halt_word_halts_alone_and_after_a_comma_and_in_front(word: str) -> None:
    for text in (
        word,
        word.upper(),
        f"{word}!",
        f"no, {word}",
        f"pick up the red block, {word}",
        f"{word}, pick up the red block",
    ):
        assert BUILT_IN.means_halt(text), text


@given(st.text(max_size=40), st.sampled_from(["stop", "Halt!", "Stopp.", "hold on", "停止"]))
def test_a_halt_of_its_own_sentence_halts_after_anything(before: str, halt: str) -> None:
    assert BUILT_IN.means_halt(f"{before}. {halt}")


@given(st.text(max_size=300))
def test_any_text_is_judged(text: str) -> None:
    assert BUILT_IN.means_halt(text) in (True, False)


def test_the_tasks_of_the_repository_are_tasks() -> None:
    import yaml

    root = Path(__file__).resolve().parents[3]
    unseen = yaml.safe_load((root / "config/instructions_unseen.yaml").read_text(encoding="utf-8"))
    texts = [text for text in _texts(unseen) if " " in text]
    assert len(texts) > 20
    assert [text for text in texts if BUILT_IN.means_halt(text)] == []


def _texts(node: object) -> list[str]:
    if isinstance(node, str):
        return [node]
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [text for child in children for text in _texts(child)]


def test_a_site_adds_words_and_takes_none_away(tmp_path: Path) -> None:
    site = tmp_path / "halt_words.yaml"
    site.write_text("halt:\n  xx: [zastavte robota, hau ruck]\nthings:\n  en: [plate]\nnegations:\n", encoding="utf-8")
    detector = HaltDetector(with_site_words(str(site)))
    assert detector.means_halt("Hau ruck!")
    assert detector.means_halt("stop")
    assert not detector.means_halt("pick up the stop plate")
    assert not BUILT_IN.means_halt("hau ruck")
    assert with_site_words("") == built_in()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("halts:\n  en: [stop]", "halts"),
        ("- stop", "list"),
        ("halt: [stop]", "by language"),
        ("halt:\n  en: stop", "by language"),
        ("halt:\n  en: [no]", "in quotes"),
        ("halt:\n  en: ['  ']", "in quotes"),
        ("halt: {", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_a_broken_site_file_is_refused_by_name(tmp_path: Path, content: str | None, said: str) -> None:
    site = tmp_path / "halt_words.yaml"
    if content is not None:
        site.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=said) as caught:
        with_site_words(str(site))
    assert str(site) in str(caught.value)


def test_the_shipped_site_file_adds_nothing() -> None:
    site = Path(__file__).resolve().parents[3] / "config/halt_words.yaml"
    assert with_site_words(str(site)) == built_in()


def test_every_subject_has_words() -> None:
    assert all(getattr(built_in(), name) for name in SUBJECTS)
    assert HaltDetector(HaltWords()).means_halt("stop") is False
